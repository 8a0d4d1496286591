/** German. */

import type { Words } from "./index.ts";
import { plurals } from "./plural.ts";

const count = plurals("de");

export const de: Words = {
  common: {
    product: "Secure Messenger",
    about: "Über diesen Server",
    back: "Zurück",
    cancel: "Abbrechen",
    close: "Schließen",
    retry: "Noch einmal versuchen",
    opening: "Wird geöffnet …",
  },
  look: {
    title: "Aussehen",
    theme: "Farben",
    contrast: "Kontrast",
    language: "Sprache",
    ofBrowser: "Wie im Browser",
    light: "Hell",
    dark: "Dunkel",
    more: "Hoch",
  },
  settings: {
    title: "Einstellungen",
    account: "Du bist",
  },
  update: {
    said: "Eine neue Version ist da.",
    load: "Laden",
  },
  connection: {
    connecting: "Wird verbunden …",
    offline: {
      happened: "Du bist offline.",
      means: "Du kannst weiter lesen und schreiben: Was du schreibst, geht von selbst hinaus.",
    },
    away: {
      happened: "Der Server antwortet nicht.",
      means: "Du kannst weiter lesen und schreiben: Was du schreibst, geht von selbst hinaus.",
    },
    again: (seconds) =>
      count(seconds, { one: "Nächster Versuch in # Sekunde.", other: "Nächster Versuch in # Sekunden." }),
    now: "Jetzt versuchen",
    session_ended: {
      happened: "Du bist abgemeldet.",
      means: "Was hier ist, bleibt und kann gelesen werden.",
      todo: "Melde dich wieder an, um weiterzumachen.",
      remedy: "Wieder anmelden",
    },
    taken_over: {
      happened: "Ein anderes Programm ist als genau dieses Gerät verbunden.",
      means: "Dieses hier hat angehalten, damit sich beide nicht stören.",
      todo: "Mach weiter, wo du magst. Wenn du von keinem anderen Programm weißt, hat vielleicht jemand die Daten dieses Browsers kopiert.",
      here: "Hier verbinden",
    },
    removed: {
      happened: "Dieser Browser wurde aus deinem Konto entfernt.",
      means:
        "Das hat eines deiner anderen Geräte getan. Was hier ist, bleibt und kann gelesen werden; Neues kommt nicht mehr.",
      todo: "Wenn du das nicht warst, ändere dein Passwort auf einem Gerät, dem du vertraust.",
      remedy: "Hier neu beginnen",
    },
  },
  blocked: {
    reload: "Seite neu laden",
    insecure: {
      title: "Diese Verbindung ist nicht sicher",
      cause: (here) =>
        `Die Seite kam von ${here}, unterwegs ohne Verschlüsselung. Darum hält der Browser zurück, was es braucht, um deine Nachrichten zu verschlüsseln.`,
      local: (address) => `Auf dem Rechner, auf dem der Server läuft, öffne stattdessen ${address}.`,
      others:
        "Von überall sonst braucht es eine Adresse, die mit https:// anfängt. Wer diesen Server betreibt, kann das einrichten: Die Seite über das Installieren sagt unter „Let others in“, wie.",
    },
    lacking: {
      title: "Dieser Browser ist zu alt",
      cause: (names) => `Ihm fehlt, was die Verschlüsselung hier braucht (${names}).`,
      todo: "Aktualisiere ihn, oder öffne diese Seite in einem anderen. In einem privaten Fenster wird es vielleicht zurückgehalten: Öffne ein gewöhnliches.",
    },
    other_version: {
      title: "Zwei Versionen dieser Seite sind offen",
      lines: [
        "Ein anderer Tab hat eine ältere oder neuere Version dieser Seite, und nur eine darf auf einmal arbeiten, damit nichts verloren geht.",
        "Lade diese Seite neu, und schließ den anderen Tab, wenn das nicht hilft.",
      ],
    },
    failed: {
      no_storage: {
        title: "Der Browser bewahrt für diese Seite nichts auf",
        lines: [
          "Deine Schlüssel und Nachrichten werden in diesem Browser aufbewahrt, und er erlaubt das hier nicht. Manche privaten Fenster tun es nicht, und manche Einstellungen für Cookies und Websitedaten auch nicht.",
          "Öffne die Seite in einem gewöhnlichen Fenster, oder erlaub ihr, Daten zu speichern.",
        ],
      },
      not_loaded: {
        title: "Ein Teil dieser Seite fehlt",
        lines: [
          "Er konnte nicht geladen werden: Die Verbindung brach ab, oder der Server hat inzwischen eine neuere Version.",
          "Prüf deine Verbindung, und lade die Seite neu.",
        ],
      },
      store_full: {
        title: "Es ist kein Platz mehr da",
        lines: [
          "Der Browser gibt dieser Seite keinen Platz mehr, darum kann nichts Neues aufbewahrt werden. Von dem, was du hast, ging nichts verloren.",
          "Schaff Platz auf diesem Gerät, und lade die Seite neu.",
        ],
      },
      store_busy: {
        title: "Eine ältere Version dieser Seite ist offen",
        lines: [
          "Ein anderer Tab hat noch eine ältere Version offen und benutzt, was hier aufbewahrt wird.",
          "Schließ alle anderen Tabs mit dieser Seite, und lade sie neu.",
        ],
      },
      store_too_new: {
        title: "Das ist eine ältere Version der Seite",
        lines: [
          "Was in diesem Browser aufbewahrt wird, hat eine neuere Version geschrieben.",
          "Lade die Seite neu; wenn das nicht hilft, schließ vorher alle Tabs mit ihr.",
        ],
      },
      store_corrupt: {
        title: "Was in diesem Browser aufbewahrt wird, ist beschädigt",
        lines: [
          "Die Dateien des Browsers wurden verändert oder nur zum Teil geschrieben, wie nach einem Fehler der Festplatte. Lesen kann sie sonst niemand.",
          "Lade die Seite neu. Wenn das nicht hilft, lösche die Daten dieser Website in den Einstellungen des Browsers, und melde dich neu an.",
        ],
      },
    },
    unknown: {
      title: "Etwas ging schief",
      lines: [
        "Die Seite hat angehalten, damit nichts verloren geht oder doppelt gesendet wird. Deine Nachrichten sind noch da.",
        "Lade die Seite neu.",
      ],
    },
  },
  entry: {
    tagline: "Private Nachrichten, auf deinem Gerät verschlüsselt.",
    locked: "Dieser Browser ist gesperrt. Dein Passwort öffnet ihn.",
    way: "Wie möchtest du anfangen?",
    isNew: "Ich bin neu hier",
    isKnown: "Ich habe ein Konto",
    closed: "Dieser Server nimmt keine neuen Konten an. Wer ihn betreibt, kann eines für dich anlegen.",
    name: "Name",
    nameHint: "Unter ihm finden dich andere. Kleine Buchstaben, Ziffern, Punkte und Striche.",
    password: "Passwort",
    passwordHint: "Mindestens 10 Zeichen. Niemand kann es dir zurückgeben.",
    show: "Zeigen",
    hide: "Verbergen",
    invite: "Einladung",
    inviteHint: "Dieser Server möchte eine. Du bekommst sie von der Person, die ihn betreibt.",
    badInvite: "Diese Einladung gilt nicht oder nicht mehr. Bitte um eine andere.",
    code: "Code",
    codeHint: "Aus deiner Authenticator-App, oder einer deiner Wiederherstellungscodes.",
    badCode: "Dieser Code stimmt nicht oder nicht mehr. Warte auf den nächsten, und versuch es noch einmal.",
    lock: "Diesen Browser mit dem Passwort sperren",
    lockHint: "Bei jedem Start wird dann danach gefragt. Gut, wenn auch andere diesen Rechner benutzen.",
    create: "Konto anlegen",
    creating: "Deine Schlüssel entstehen …",
    login: "Anmelden",
    loggingIn: "Wird angemeldet …",
    open: "Öffnen",
    opening: "Wird geöffnet …",
    again: "Du wurdest abgemeldet. Was hier ist, bleibt, und nach dem Anmelden geht es weiter.",
    cantOpen: "Ich weiß es nicht mehr",
    deviceName: "Webbrowser",
    forget: "Löschen, was hier aufbewahrt wird",
    forgotten: {
      title: "In diesem Browser neu beginnen",
      lines: [
        "Ohne dein Passwort kann niemand die Nachrichten dieses Browsers öffnen, und niemand kann es dir sagen.",
        "Du kannst löschen, was hier aufbewahrt wird, und dich neu anmelden, oder ein anderes Konto benutzen. Nachrichten, die sonst nirgends aufbewahrt werden, sind dann weg.",
      ],
    },
    removed: {
      title: "In diesem Browser neu beginnen",
      lines: [
        "Dieser Browser gehört nicht mehr zu deinem Konto. Um ihn wieder zu benutzen, wird zuerst gelöscht, was hier aufbewahrt wird; dann melde dich an, und gib ihn auf einem anderen Gerät frei.",
        "Nachrichten, die auf keinem deiner anderen Geräte aufbewahrt werden, sind dann weg.",
      ],
    },
  },
  waiting: {
    title: "Noch ein Schritt",
    why: "Du benutzt dieses Konto auf einem anderen Gerät. Damit sonst niemand deine Nachrichten lesen kann, muss jenes Gerät diesen Browser hereinlassen.",
    steps: [
      "Öffne Secure Messenger auf dem anderen Gerät.",
      "Such dort deine Geräte, und wähle aus, dass du ein neues freigibst.",
      "Tippe dort diesen Code ein:",
    ],
    code: "Der Code dieses Browsers",
    hint: "Diese Seite geht von selbst weiter. Der Code ändert sich alle paar Minuten.",
  },
  faults: {
    name_wanted: "Such dir einen Namen aus.",
    yourself: "Das bist du. Gib den Namen von jemand anderem ein.",
    nobody: "Diesen Namen hat hier niemand. Prüf, wie er geschrieben wird.",
    name_bad:
      "Ein Name beginnt mit einem Buchstaben und hat 3 bis 32 Buchstaben von a bis z, Ziffern, Punkte oder Striche.",
    password_wanted: "Gib ein Passwort ein.",
    password_short: "Das ist zu kurz: Nimm mindestens 10 Zeichen. Vier Wörter hintereinander sind ein gutes.",
    password_long: "Das ist zu lang.",
    invite_wanted: "Gib deine Einladung ein.",
    code_wanted: "Gib den Code ein.",
  },
  errors: {
    unknown: "Das hat nicht geklappt. Versuch es noch einmal; wenn es wieder passiert, lade die Seite neu.",
    again: "Das wurde unterbrochen. Versuch es noch einmal.",
    away: "Der Server antwortet nicht. Prüf deine Verbindung, und versuch es gleich noch einmal.",
    busy: "Das war zu oft in kurzer Zeit. Warte eine Minute, und versuch es noch einmal.",
    refused: "Der Server nimmt das nicht an. Prüf, was du eingegeben hast.",
    forbidden: "Das darfst du hier nicht.",
    wrong_login: "Name und Passwort passen nicht zusammen. Prüf beides, und versuch es noch einmal.",
    wrong_password: "Das ist nicht das Passwort.",
    code_wanted: "Dieses Konto möchte außer dem Passwort einen Code.",
    weak_password:
      "Dieses Passwort würden andere als Erstes raten. Nimm ein längeres: zum Beispiel vier Wörter hintereinander.",
    name_taken: "Diesen Namen hat schon jemand. Such dir einen anderen aus.",
    other_account: "Dieser Browser hat schon ein anderes Konto.",
    device_limit:
      "Du hast so viele Geräte, wie dieser Server erlaubt. Entferne auf einem anderen Gerät eines, das du nicht benutzt.",
    kdf_refused:
      "Der Server fragt auf eine Art nach deinem Passwort, die es verraten würde, darum wurde es nicht gesendet. Sag es der Person, die den Server betreibt.",
    no_user: "Diesen Namen hat hier niemand. Prüf, wie er geschrieben wird.",
    blocked: "Das geht nicht: Jemand von euch beiden hat den anderen blockiert.",
    no_devices:
      "Diese Person hat noch kein Gerät, das Nachrichten lesen kann. Versuch es wieder, wenn sie sich angemeldet hat.",
    not_approved: "Dieser Browser muss zuerst auf einem anderen Gerät von dir freigegeben werden.",
    contact_refused:
      "Der Server gibt diesen Namen jemand anderem als bisher. Es wurde nichts gesendet. Frag die Person auf einem anderen Weg, ob sie ein neues Konto hat.",
    identity_refused:
      "Die Schlüssel dieser Person haben sich geändert, und bis du das annimmst, geht nichts an sie.",
    conversation_ended: "Diese Unterhaltung ist zu Ende. Was gesagt wurde, bleibt hier.",
    too_long: "Das ist zu lang für eine Nachricht. Teil es auf.",
    queue_full: "Zu viele Nachrichten warten darauf, gesendet zu werden. Warte, bis es eine Verbindung gibt.",
    store_full:
      "Der Browser gibt dieser Seite keinen Platz mehr. Schaff welchen auf diesem Gerät, und versuch es noch einmal. Es ging nichts verloren.",
    session_ended: "Du bist abgemeldet. Melde dich zuerst wieder an.",
  },
  talks: {
    title: "Unterhaltungen",
    choose: "Wähle eine Unterhaltung aus, oder schreib jemandem.",
    none: "Noch keine Unterhaltungen",
    noneYet: "Schreib jemandem unter dem Namen, den er oder sie hier hat.",
    nothing: "Noch wurde nichts gesagt",
    warned: "Es gibt eine Warnung",
    unread: (messages) =>
      count(messages, { one: "# ungelesene Nachricht", other: "# ungelesene Nachrichten" }),
  },
  start: {
    title: "Jemandem schreiben",
    name: "Name der Person",
    hint: "Der Name, den sie sich hier ausgesucht hat. Frag sie danach.",
    go: "Schreiben",
    looking: "Wird gesucht …",
  },
  talk: {
    untitled: "Eine Gruppe",
    gone: "Diese Unterhaltung gibt es hier nicht mehr.",
    messages: (name) => `Nachrichten mit ${name}`,
    beginning: "Sag hallo: Was du hier schreibst, könnt nur ihr beide lesen.",
    ended: "Diese Unterhaltung ist zu Ende. Was gesagt wurde, bleibt hier.",
    write: "Nachricht schreiben",
    writeTo: (name) => `Nachricht an ${name}`,
    send: "Senden",
    toEnd: "Zur neuesten",
    fresh: (messages) => count(messages, { one: "# neue Nachricht", other: "# neue Nachrichten" }),
    newMark: "Neu",
    you: "Du",
    nobody: "Jemand, der nicht mehr da ist",
    from: (who) => `${who}:`,
    heard: (who, text) => `${who}: ${text}`,
    edited: "bearbeitet",
    deleted: "Diese Nachricht wurde zurückgenommen.",
    failed: "Diese Nachricht wurde nicht gesendet.",
    unopened: "Eine Nachricht, die noch nicht geöffnet werden kann",
    unopenedWhy:
      "Das andere Gerät wurde gebeten, sie noch einmal zu senden. Sie erscheint von selbst, sobald es verbunden ist.",
    ticks: {
      queued: "Wartet darauf, gesendet zu werden",
      sent: "Gesendet",
      delivered: "Zugestellt",
      read: "Gelesen",
      failed: "Nicht gesendet",
    },
  },
};
