/** Links of the component library that know the router, so that every address is a typed path. */
import {
  Anchor,
  type AnchorProps,
  Button,
  type ButtonProps,
  NavLink,
  type NavLinkProps,
} from '@mantine/core';
import { createLink } from '@tanstack/react-router';
import type { ReactNode, Ref } from 'react';

interface AnchorElement {
  ref?: Ref<HTMLAnchorElement>;
  children?: ReactNode;
}

/** A link in text. */
export const AnchorLink = createLink((props: AnchorProps & AnchorElement) => <Anchor {...props} />);

/** A link that looks like a button. */
export const ButtonLink = createLink((props: ButtonProps & AnchorElement) => (
  <Button component="a" {...props} />
));

/** A room in the bar. */
export const RoomLink = createLink((props: NavLinkProps & AnchorElement) => (
  <NavLink component="a" {...props} />
));
