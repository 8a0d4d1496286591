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
    session_ended: {
      happened: "You are logged out.",
      means: "What is here stays, and can be read.",
      todo: "Log in again to go on.",
      remedy: "Log in again",
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
      remedy: "Begin anew here",
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
    tagline: "Private messages, encrypted on your device.",
    locked: "This browser is locked. Your password opens it.",
    way: "How do you want to begin?",
    isNew: "I'm new here",
    isKnown: "I have an account",
    closed: "This server takes no new accounts. Whoever runs it can make one for you.",
    name: "Name",
    nameHint: "Others find you by it. Small letters, digits, dots and dashes.",
    password: "Password",
    passwordHint: "At least 10 characters. Nobody can give it back to you.",
    show: "Show",
    hide: "Hide",
    invite: "Invite",
    inviteHint: "This server wants one. You get it from whoever runs it.",
    badInvite: "This invite doesn't hold, or not any more. Ask for another one.",
    code: "Code",
    codeHint: "From your authenticator app, or one of your recovery codes.",
    badCode: "That code isn't right, or not any more. Wait for the next one and try again.",
    lock: "Lock this browser with the password",
    lockHint: "It is then asked for at each start. Good where others use this computer, too.",
    create: "Create account",
    creating: "Making your keys …",
    login: "Log in",
    loggingIn: "Logging in …",
    open: "Open",
    opening: "Opening …",
    again: "You were logged out. What is here stays, and goes on after you log in.",
    cantOpen: "I can't remember it",
    deviceName: "Web browser",
    forget: "Delete what is kept here",
    forgotten: {
      title: "Begin anew in this browser",
      lines: [
        "Nobody can open this browser's messages without your password, and nobody can tell it to you.",
        "You can delete what is kept here and log in again, or use another account. Messages that are kept nowhere else are gone then.",
      ],
    },
    removed: {
      title: "Begin anew in this browser",
      lines: [
        "This browser belongs to your account no more. To use it again, what is kept here is deleted first; then log in, and approve it on another device.",
        "Messages that are kept on none of your other devices are gone then.",
      ],
    },
  },
  waiting: {
    title: "One more step",
    why: "You use this account on another device. So that nobody else can read your messages, that device has to let this browser in.",
    steps: [
      "Open Secure Messenger on the other device.",
      "Look there for your devices, and choose to approve a new one.",
      "Type in this code there:",
    ],
    code: "The code of this browser",
    hint: "This page goes on by itself. The code changes every few minutes.",
  },
  faults: {
    name_wanted: "Choose a name.",
    yourself: "That is you. Type in somebody else's name.",
    nobody: "Nobody here has this name. Check how it is written.",
    name_bad: "A name begins with a letter, and has 3 to 32 letters from a to z, digits, dots or dashes.",
    password_wanted: "Type in a password.",
    password_short: "That is too short: take 10 characters or more. Four words in a row are a good one.",
    password_long: "That is too long.",
    invite_wanted: "Type in your invite.",
    code_wanted: "Type in the code.",
  },
  errors: {
    unknown: "That didn't work. Try again; if it keeps happening, load the page again.",
    again: "That was interrupted. Try again.",
    away: "The server doesn't answer. Check your connection, and try again in a moment.",
    busy: "That was too often in a short time. Wait a minute, and try again.",
    refused: "The server doesn't take that. Check what you have typed in.",
    forbidden: "You may not do that here.",
    wrong_login: "Name and password don't fit together. Check both, and try again.",
    wrong_password: "That is not the password.",
    code_wanted: "This account wants a code besides the password.",
    weak_password:
      "Others would guess that password first. Choose a longer one: four words in a row, for example.",
    name_taken: "Somebody has this name already. Choose another one.",
    other_account: "This browser has another account already.",
    device_limit:
      "You have as many devices as this server allows. Remove one that you don't use on another device.",
    kdf_refused:
      "The server asks for your password in a way that would give it away, so it was not sent. Tell whoever runs the server.",
    no_user: "Nobody here has this name. Check how it is written.",
    blocked: "That isn't possible: one of you has blocked the other.",
    no_devices: "This person has no device yet that can read messages. Try again once they have logged in.",
    not_approved: "This browser has to be approved on another device of yours first.",
    contact_refused:
      "The server gives this name to somebody else than before. Nothing was sent. Ask the person another way whether they have a new account.",
    identity_refused: "The keys of this person have changed, and nothing goes to them until you accept that.",
    conversation_ended: "This conversation has ended. What was said stays here.",
    too_long: "That is too long for one message. Split it.",
    queue_full: "Too many messages wait to be sent. Wait until there is a connection.",
    store_full:
      "The browser gives this page no more room. Make some on this device, and try again. Nothing was lost.",
    session_ended: "You are logged out. Log in again first.",
  },
  talks: {
    title: "Conversations",
    choose: "Choose a conversation, or write to somebody.",
    none: "No conversations yet",
    noneYet: "Write to somebody by the name that they have here.",
    nothing: "Nothing was said yet",
    warned: "There is a warning",
    unread: (messages: number): string =>
      count(messages, { one: "# unread message", other: "# unread messages" }),
  },
  start: {
    title: "Write to somebody",
    name: "Their name",
    hint: "The name that they chose here. Ask them for it.",
    go: "Write",
    looking: "Looking …",
  },
  talk: {
    untitled: "A group",
    gone: "This conversation is not here any more.",
    messages: (name: string): string => `Messages with ${name}`,
    beginning: "Say hello: what you write here, only the two of you can read.",
    ended: "This conversation has ended. What was said stays here.",
    write: "Write a message",
    writeTo: (name: string): string => `Message to ${name}`,
    send: "Send",
    toEnd: "To the newest",
    fresh: (messages: number): string => count(messages, { one: "# new message", other: "# new messages" }),
    newMark: "New",
    you: "You",
    nobody: "Somebody who is gone",
    from: (who: string): string => `${who}:`,
    heard: (who: string, text: string): string => `${who}: ${text}`,
    edited: "edited",
    deleted: "This message was taken away.",
    failed: "This message was not sent.",
    unopened: "A message that can't be opened yet",
    unopenedWhy: "Their device was asked to send it again. It shows by itself once that device is connected.",
    ticks: {
      queued: "Waits to be sent",
      sent: "Sent",
      delivered: "Delivered",
      read: "Read",
      failed: "Not sent",
    },
  },
};
