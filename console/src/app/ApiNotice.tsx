/** A failed question to the server, in words, with the way out. */
import { Button, Group, PasswordInput, Text, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import type { FormEvent } from 'react';
import { useTranslation } from 'react-i18next';
import { signIn } from '../api/credentials';
import { ApiError } from '../api/error';
import { CopyField } from '../components/CopyField';
import { Notice } from '../components/Notice';

const AUTH_EXAMPLE = 'http_api { auth { enabled on; username admin; password CHANGE-ME; } }';

export interface ApiNoticeProps {
  error: Error;
  /** Asks again what failed. */
  retry?: () => void;
}

export function ApiNotice({ error, retry }: ApiNoticeProps) {
  const { t } = useTranslation();
  const known = error instanceof ApiError ? error : new ApiError('unexpected', 0, 0);
  const { problem, code, status, detail } = known;
  return (
    <Notice
      kind="problem"
      title={t(`error.${problem}.title`, { code, status })}
      text={t(`error.${problem}.text`)}
    >
      {detail && (
        <Text size="sm" c="dimmed" mb="sm">
          {t('error.serverSays', { detail })}
        </Text>
      )}
      {problem === 'unauthorized' || problem === 'forbidden' ? (
        <SignIn retry={retry} />
      ) : (
        retry && (
          <Button variant="default" size="xs" onClick={retry}>
            {t('error.retry')}
          </Button>
        )
      )}
    </Notice>
  );
}

function SignIn({ retry }: { retry?: () => void }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    signIn(String(fields.get('username')), String(fields.get('password')));
    retry?.();
    void queries.invalidateQueries();
  };
  return (
    <>
      <CopyField label={t('signIn.configuration')} value={AUTH_EXAMPLE} />
      <form onSubmit={submit}>
        <Group align="flex-end" gap="sm" mt="sm">
          <TextInput name="username" label={t('signIn.username')} autoComplete="username" required />
          <PasswordInput
            name="password"
            label={t('signIn.password')}
            autoComplete="current-password"
            required
            miw={180}
          />
          <Button type="submit">{t('signIn.submit')}</Button>
        </Group>
      </form>
    </>
  );
}
