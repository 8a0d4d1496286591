/** What is judged before anything is asked of the server: a name and a password that can't do are told at once. */

const USERNAME = /^[a-z][a-z0-9._-]{2,31}$/;
const LEAST = 10; // bytes of UTF-8
const MOST = 1_024;

export interface Form {
  readonly username: string;
  readonly password: string;
  readonly invite: string;
  readonly code: string;
}

/** What is wrong with each field. */
export type Faults = Partial<
  Record<
    keyof Form,
    | "name_wanted"
    | "yourself"
    | "nobody"
    | "name_bad"
    | "password_wanted"
    | "password_short"
    | "password_long"
    | "invite_wanted"
    | "code_wanted"
  >
>;

/** Names are written small. */
export function nameOf(typed: string): string {
  return typed.trim().toLowerCase();
}

export function isName(typed: string): boolean {
  return USERNAME.test(nameOf(typed));
}

/** Of a new account. */
export function faultsOfNew(form: Form, isInviteWanted: boolean): Faults {
  const { length } = new TextEncoder().encode(form.password);
  return {
    ...nameFault(form.username),
    ...(length >= LEAST
      ? {}
      : { password: length === 0 ? ("password_wanted" as const) : ("password_short" as const) }),
    ...(length <= MOST ? {} : { password: "password_long" as const }),
    ...(isInviteWanted && form.invite.trim() === "" ? { invite: "invite_wanted" as const } : {}),
  };
}

/** Of a login: whatever a password was, it may be. */
export function faultsOfLogin(form: Form, isCodeWanted: boolean): Faults {
  return {
    ...nameFault(form.username),
    ...(form.password === "" ? { password: "password_wanted" as const } : {}),
    ...(isCodeWanted && form.code.trim() === "" ? { code: "code_wanted" as const } : {}),
  };
}

function nameFault(typed: string): Faults {
  if (nameOf(typed) === "") return { username: "name_wanted" };
  return isName(typed) ? {} : { username: "name_bad" };
}
