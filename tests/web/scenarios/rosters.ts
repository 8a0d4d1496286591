/** Rosters, what was seen, and numbers. */

import {
  type Place,
  Progress,
  Roster,
  type RosterChange,
  type RosterMember,
  type Role,
  Rosters,
  differs,
  seenOf,
} from "../../../messenger/web/client/src/e2e/index.ts";
import { hex } from "../../../messenger/web/client/src/wire/bytes.ts";
import { type Given, raw } from "./running.ts";

interface MemberGiven {
  readonly user_id: string;
  readonly account_key: string;
  readonly role: Role;
}

interface ChangeGiven {
  readonly version: number;
  readonly previous: string;
  readonly put: readonly MemberGiven[];
  readonly remove: string[];
}

interface At {
  readonly at: string;
  readonly conversation_id: string;
}

interface SeenGiven {
  readonly from: number;
  readonly seq: number;
  readonly digest: string;
}

function membersOf(given: readonly MemberGiven[]): RosterMember[] {
  return given.map((one) => ({ ...one, account_key: raw(one.account_key) }));
}

function changeOf(given: ChangeGiven): RosterChange {
  return {
    ...given,
    type: "roster_change",
    previous: raw(given.previous),
    put: membersOf(given.put),
  };
}

function changeGiven(change: RosterChange): ChangeGiven {
  const { version, previous, put, remove } = change;
  return {
    version,
    previous: hex(previous),
    put: put.map((one) => ({ ...one, account_key: hex(one.account_key) })),
    remove: [...remove],
  };
}

export function rosterVerbs() {
  const kept = new Map<string, Rosters>();
  const counted = new Map<string, Progress>();

  function rosters(given: At): Rosters {
    const found = Rosters.fromBytes((kept.get(given.at) ?? Rosters.none(given.conversation_id)).toBytes());
    kept.set(given.at, found);
    return found;
  }

  function standing(there: Rosters): Given {
    const { current } = there;
    return current === undefined
      ? { version: null }
      : { version: current.version, digest: hex(current.digest) };
  }

  function numbers(of: string): Progress {
    const found = Progress.fromBytes((counted.get(of) ?? Progress.none()).toBytes());
    counted.set(of, found);
    return found;
  }

  return {
    roster: (given: { conversation_id: string; version: number; members: MemberGiven[] }) => ({
      digest: hex(Roster.of(given.conversation_id, given.version, membersOf(given.members)).digest),
    }),

    begin_roster: (given: At & { version: number; members: MemberGiven[]; seq: number }) => {
      const there = rosters(given);
      there.begin(Roster.of(given.conversation_id, given.version, membersOf(given.members)), given.seq);
      return standing(there);
    },

    take_roster: (
      given: At & {
        version: number;
        members: MemberGiven[];
        seq: number;
        sender: string;
        own: boolean;
        away: boolean;
      },
    ) => {
      const body = {
        type: "roster",
        version: given.version,
        members: membersOf(given.members),
      } as const;
      const there = rosters(given);
      const handed = Roster.ofBody(given.conversation_id, body);
      there.takeWhole(handed, given.seq, given.sender, given.own, given.away);
      return standing(there);
    },

    make_change: (given: At & { put: MemberGiven[]; remove: string[] }) => {
      const { current } = rosters(given);
      if (current === undefined) throw new Error("no roster stands");
      return {
        change: changeGiven(current.change(membersOf(given.put), given.remove)),
      };
    },

    take_change: (given: At & { change: ChangeGiven; author: string; seq: number }) => {
      const there = rosters(given);
      const found = there.takeChange(changeOf(given.change), given.author, given.seq);
      const counts = found === undefined ? "no" : found.replaced ? "instead" : "yes";
      return { counts, ...standing(there) };
    },

    judge_roster: (given: At & { version: number; digest: string }) => ({
      is: rosters(given).judge({
        version: given.version,
        digest: raw(given.digest),
      }),
    }),

    roster_at: (given: At & { seq: number }) => ({
      version: rosters(given).at(given.seq)?.version ?? null,
    }),

    change_again: (given: At & { put: MemberGiven[]; remove: string[]; tries: number }) => {
      const { remove, tries } = given;
      const made = rosters(given).again({
        put: membersOf(given.put),
        remove,
        tries,
      });
      return { change: made === undefined ? null : changeGiven(made) };
    },

    // what was seen, and numbers

    seen: (given: { conversation_id: string; places: Place[] }) => {
      const found = seenOf(given.conversation_id, given.places);
      return {
        seen: found === undefined ? null : { ...found, digest: hex(found.digest) },
      };
    },

    compare_seen: (given: { seen: SeenGiven; conversation_id: string; seq: number; places: Place[] }) => {
      const said = { ...given.seen, digest: raw(given.seen.digest) };
      return {
        differs: differs(said, given.conversation_id, given.seq, given.places),
      };
    },

    expect_number: (given: { of: string; number: number }) => {
      numbers(given.of).expect(given.number);
      return {};
    },

    number: (given: { of: string; number: number; waiting: boolean }) => {
      const there = numbers(given.of);
      const verdict = there.see(given.number, given.waiting);
      const told = verdict.is === "gap" ? { is: verdict.is, told: verdict.untold } : verdict;
      return { ...told, missing: there.missing };
    },

    excuse_number: (given: { of: string }) => {
      numbers(given.of).passOver();
      return {};
    },

    questions_ended: (given: { of: string }) => ({
      told: numbers(given.of).questionEnded(),
    }),
  };
}
