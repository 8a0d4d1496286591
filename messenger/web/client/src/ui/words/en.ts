/** English. */

import { plurals } from "./plural.ts";

const count = plurals("en");

export const en = {
  common: {
    product: "Secure Messenger",
    about: "About this server",
    back: "Back",
    cancel: "Cancel",
    close: "Close",
    retry: "Try again",
    opening: "Opening …",
  },
  look: {
    title: "Appearance",
    theme: "Theme",
    contrast: "Contrast",
    language: "Language",
    ofBrowser: "As the browser",
    light: "Light",
    dark: "Dark",
    more: "High",
  },
  settings: {
    title: "Settings",
    account: "You are",
  },
  update: {
    said: "A new version is here.",
    load: "Load it",
  },
  connection: {
    connecting: "Connecting …",
    offline: {
      happened: "You are offline.",
      means: "You can go on reading and writing: what you write goes out by itself.",
    },
    away: {
      happened: "The server doesn't answer.",
      means: "You can go on reading and writing: what you write goes out by itself.",
    },
    again: (seconds: number): string =>
      count(seconds, { one: "Next try in # second.", other: "Next try in # seconds." }),
    now: "Try now",
    waiting_for_approval: {
      happened: "This browser waits for your approval.",
      means: "You have used this account elsewhere before.",
      todo: "Approve this browser there, and your conversations go on here.",
    },
    session_ended: {
      happened: "You are logged out.",
      means: "What is here stays, and can be read.",
      todo: "Log in again to go on.",
    },
    taken_over: {
      happened: "Another program is connected as this very device.",
      means: "This one has stopped, so that both don't disturb each other.",
      todo: "Go on where you like; if you know of no other program, somebody may have copied this browser's data.",
      here: "Connect here",
    },
    removed: {
      happened: "This browser was removed from your account.",
      means:
        "One of your other devices has done that. What is here stays, and can be read; nothing new comes.",
      todo: "If it was not you, change your password on a device that you trust.",
    },
  },
  blocked: {
    reload: "Load the page again",
    insecure: {
      title: "This connection is not secure",
      cause: (here: string): string =>
        `The page came from ${here}, without encryption on the way. So the browser keeps back what it takes to encrypt your messages.`,
      local: (address: string): string => `On the machine that the server runs on, open ${address} instead.`,
      others:
        "From anywhere else it takes an address that begins with https://. Whoever runs this server can set that up: the page on installing says how, under “Let others in”.",
    },
    lacking: {
      title: "This browser is too old",
      cause: (names: string): string => `It lacks what encryption needs here (${names}).`,
      todo: "Update it, or open this page in another one. In a private window it may be kept back: open an ordinary one.",
    },
    other_version: {
      title: "Two versions of this page are open",
      lines: [
        "Another tab has an older or a newer version of this page, and only one may work at a time, so that nothing is lost.",
        "Load this page again, and close the other tab if that doesn't help.",
      ],
    },
    failed: {
      no_storage: {
        title: "The browser keeps nothing for this page",
        lines: [
          "Your keys and messages are kept in this browser, and it doesn't allow that here. Some private windows don't, nor do some settings for cookies and site data.",
          "Open the page in an ordinary window, or allow it to store data.",
        ],
      },
      not_loaded: {
        title: "A part of this page is missing",
        lines: [
          "It could not be loaded: the connection broke, or the server has got a newer version meanwhile.",
          "Check your connection and load the page again.",
        ],
      },
      store_full: {
        title: "There is no room left",
        lines: [
          "The browser gives this page no more space, so nothing new can be kept. Nothing that you have was lost.",
          "Make room on this device's disk, and load the page again.",
        ],
      },
      store_busy: {
        title: "An older version of this page is open",
        lines: [
          "Another tab still has an older version open, and uses what is kept here.",
          "Close all other tabs with this page, and load it again.",
        ],
      },
      store_too_new: {
        title: "This is an older version of the page",
        lines: [
          "What is kept in this browser was written by a newer version.",
          "Load the page again; if that doesn't help, close all tabs with it first.",
        ],
      },
      store_corrupt: {
        title: "What is kept in this browser is damaged",
        lines: [
          "The browser's files were changed or only partly written, as after a crash of the disk. Nobody else can read them.",
          "Load the page again. If that doesn't help, clear the data of this site in the browser's settings and log in again.",
        ],
      },
    },
    unknown: {
      title: "Something went wrong",
      lines: [
        "The page has stopped, so that nothing is lost or sent twice. Your messages are still here.",
        "Load the page again.",
      ],
    },
  },
  entry: {
    none: "There is no account in this browser yet.",
    locked: "The account in this browser is locked: it opens with your password.",
  },
  talks: {
    title: "Conversations",
    choose: "Choose a conversation, or write to somebody.",
    none: "No conversations yet",
    noneYet:
      "Write to somebody by the name that they have here. Everything you write is encrypted in this browser.",
    unread: (messages: number): string =>
      count(messages, { one: "# unread message", other: "# unread messages" }),
  },
  start: {
    title: "Write to somebody",
  },
};
