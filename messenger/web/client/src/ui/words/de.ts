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
    waiting_for_approval: {
      happened: "Dieser Browser wartet auf deine Freigabe.",
      means: "Du hast dieses Konto schon woanders benutzt.",
      todo: "Gib diesen Browser dort frei, dann geht es hier mit deinen Unterhaltungen weiter.",
    },
    session_ended: {
      happened: "Du bist abgemeldet.",
      means: "Was hier ist, bleibt und kann gelesen werden.",
      todo: "Melde dich wieder an, um weiterzumachen.",
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
    none: "In diesem Browser gibt es noch kein Konto.",
    locked: "Das Konto in diesem Browser ist gesperrt: Es öffnet sich mit deinem Passwort.",
  },
  talks: {
    title: "Unterhaltungen",
    choose: "Wähle eine Unterhaltung aus, oder schreib jemandem.",
    none: "Noch keine Unterhaltungen",
    noneYet:
      "Schreib jemandem unter dem Namen, den er oder sie hier hat. Alles, was du schreibst, wird in diesem Browser verschlüsselt.",
    unread: (messages) =>
      count(messages, { one: "# ungelesene Nachricht", other: "# ungelesene Nachrichten" }),
  },
  start: {
    title: "Jemandem schreiben",
  },
};
