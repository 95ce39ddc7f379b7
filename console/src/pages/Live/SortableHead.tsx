/** A column's head that orders the list; once more turns the order round. */
import { Table, UnstyledButton } from '@mantine/core';
import { IconArrowDown, IconArrowUp } from '@tabler/icons-react';
import { getRouteApi } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import type { Sort } from '../../app/search';
import classes from './SortableHead.module.css';

const route = getRouteApi('/');

export const COLUMN_OF = {
  name: 'live.column.stream',
  bitrate: 'live.column.bitrate',
  viewers: 'live.column.viewers',
  uptime: 'live.column.uptime',
  health: 'live.column.health',
} as const satisfies Record<Sort, string>;

/** Whoever sorts by these looks for the highest. */
const HIGHEST_FIRST: ReadonlySet<Sort> = new Set(['bitrate', 'viewers', 'uptime']);

export function SortableHead({ sort, className }: { sort: Sort; className: string | undefined }) {
  const { t } = useTranslation();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const active = (search.sort ?? 'name') === sort;
  const descending = search.desc ?? false;
  const next = active ? !descending : HIGHEST_FIRST.has(sort);
  return (
    <Table.Th className={className} aria-sort={active ? (descending ? 'descending' : 'ascending') : 'none'}>
      <UnstyledButton
        className={classes.button}
        onClick={() => void navigate({ search: { ...search, sort, desc: next || undefined }, replace: true })}
      >
        {t(COLUMN_OF[sort])}
        <span className={classes.arrow} data-active={active || undefined}>
          {active && descending ? (
            <IconArrowDown size={14} aria-hidden />
          ) : (
            <IconArrowUp size={14} aria-hidden />
          )}
        </span>
      </UnstyledButton>
    </Table.Th>
  );
}
