/** Search, order and view; all three live in the address. */
import { ActionIcon, NativeSelect, SegmentedControl, TextInput } from '@mantine/core';
import { IconArrowDown, IconArrowUp, IconSearch } from '@tabler/icons-react';
import { getRouteApi } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type LiveSearch, SORTS, type Sort, type View } from '../../app/search';
import { COLUMN_OF } from './SortableHead';
import classes from './Toolbar.module.css';

const route = getRouteApi('/');

export function Toolbar({ view, canList }: { view: View; canList: boolean }) {
  const { t } = useTranslation();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const replace = (next: LiveSearch) => void navigate({ search: next, replace: true });
  const { desc: descending, ...ascending } = search;

  return (
    <search className={classes.bar}>
      <SearchField query={search.q} onChange={(q) => replace({ ...search, q })} />
      {view === 'wall' && (
        <div className={classes.order}>
          <NativeSelect
            aria-label={t('live.sort')}
            value={search.sort ?? 'name'}
            data={SORTS.map((value) => ({ value, label: t(COLUMN_OF[value]) }))}
            onChange={(event) => replace({ ...search, sort: event.currentTarget.value as Sort })}
          />
          <ActionIcon
            variant="default"
            size={36}
            aria-label={descending ? t('live.descending') : t('live.ascending')}
            onClick={() => replace(descending ? ascending : { ...search, desc: true })}
          >
            {descending ? <IconArrowDown size={18} aria-hidden /> : <IconArrowUp size={18} aria-hidden />}
          </ActionIcon>
        </div>
      )}
      {canList && (
        <SegmentedControl
          aria-label={t('live.view')}
          value={view}
          onChange={(value) => replace({ ...search, view: value as View })}
          data={[
            { value: 'list', label: t('live.viewList') },
            { value: 'wall', label: t('live.viewWall') },
          ]}
        />
      )}
    </search>
  );
}

/** Keeps what is typed to itself: an address that lags behind must not undo a letter or an input method. */
function SearchField({ query, onChange }: { query: string | undefined; onChange: (query: string) => void }) {
  const { t } = useTranslation();
  const [text, setText] = useState(query ?? '');
  useEffect(() => {
    if (query === undefined) setText('');
  }, [query]);
  return (
    <TextInput
      className={classes.search}
      type="search"
      aria-label={t('live.search')}
      placeholder={t('live.searchHint')}
      leftSection={<IconSearch size={17} stroke={1.6} aria-hidden />}
      value={text}
      onChange={(event) => {
        setText(event.currentTarget.value);
        onChange(event.currentTarget.value);
      }}
    />
  );
}
