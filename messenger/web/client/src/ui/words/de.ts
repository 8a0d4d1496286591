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
    logout: "Abmelden",
    logoutWhat:
      "Dieser Browser bekommt nichts mehr, bis du dich wieder anmeldest. Was er behalten hat, bleibt in ihm.",
    erase: "Abmelden und hier alles löschen",
    eraseWhat:
      "Die Nachrichten und Schlüssel in diesem Browser werden gelöscht. Hast du kein anderes Gerät, kann niemand diese Nachrichten mehr lesen.",
    eraseSure: "Ja, hier alles löschen",
  },
  update: {
    said: "Eine neue Version ist da.",
    load: "Laden",
  },
  people: {
    title: "Kontakt",
    verified: "Bestätigt: Ihr habt verglichen.",
    unverified: "Noch nicht verglichen.",
    changed: "Die Identität ist eine andere. Nichts wird gesendet, bis du entscheidest.",
    number: "Sicherheitsnummer",
    compare: (who) =>
      `Vergleiche diese Zahlen mit ${who}, am Telefon oder nebeneinander. Sind sie gleich, steht niemand zwischen euch.`,
    qr: (who) => `Oder lass ${who} diesen Code scannen: Es ist dein Kontaktlink.`,
    qrLabel: "QR-Code deines Kontaktlinks",
    same: "Sie sind gleich",
    take: "Markierung wegnehmen",
    takeWhat: "Du hast diesen Kontakt als bestätigt markiert.",
    theirs: "Kontaktlink",
    theirsHint: "Kam er auf einem anderen Weg als über diesen Server, ist er so gut wie die Zahlen.",
    check: "Prüfen",
    accept: "Annehmen, ohne zu vergleichen",
    acceptWhat: (who) =>
      `${who} hat vielleicht auf allen Geräten neu angefangen. Oder jemand anders gibt sich als ${who} aus. Wer annimmt, ohne zu vergleichen, nimmt das in Kauf.`,
    block: "Blockieren",
    unblock: "Nicht mehr blockieren",
    blocked: (who) => `Du hast ${who} blockiert: Ihr könnt euch beide nicht schreiben.`,
    write: "Nachricht schreiben",
  },
  contact: {
    title: "Kontaktlink",
    yours: "Dein Link",
    what: "Wer diesen Link öffnet oder den Code scannt, hat dich als Kontakt, der schon bestätigt ist.",
    copy: "Link kopieren",
    copied: "Kopiert.",
    other: "Kontaktlink von jemandem",
    otherHint: "Er sieht so aus: https://…/#contact=…",
    offered: "Du hast einen Kontaktlink geöffnet. Wen er nennt als bestätigten Kontakt hinzufügen?",
    add: "Kontakt hinzufügen",
    adding: "Wird hinzugefügt …",
  },
  group: {
    title: "Gruppe",
    fresh: "Neue Gruppe",
    name: "Name der Gruppe",
    rename: "Umbenennen",
    members: "Mitglieder",
    choose: "Wähle aus deinen Kontakten, oder füg jemanden beim Namen hinzu.",
    byName: "Beim Namen hinzufügen",
    add: "Hinzufügen",
    create: "Gruppe anlegen",
    creating: "Wird angelegt …",
    you: "du",
    owner: "Gehört die Gruppe",
    admin: "Admin",
    member: "Mitglied",
    verified: "bestätigt",
    unvouched:
      "Niemand in der Gruppe bürgt für dieses Mitglied: Nur der Server sagt, dass es dazugehört. Es kann nichts lesen.",
    unconfirmed: "Hat eine neue Identität und liest nichts, bis ein Admin sie bestätigt.",
    unlisted: "Der Server stellt diesem Mitglied nichts zu.",
    confirm: "Neue Identität bestätigen",
    compare: "Sicherheitsnummer vergleichen",
    makeAdmin: "Zum Admin machen",
    makeMember: "Zum einfachen Mitglied machen",
    makeOwner: "Gruppe übergeben",
    remove: "Aus der Gruppe entfernen",
    leave: "Gruppe verlassen",
    leaveWhat: "Du bekommst nichts mehr aus dieser Gruppe. Was gesagt wurde, bleibt hier.",
    leaveOwner: "Diese Gruppe gehört dir: Übergib sie vorher jemandem.",
    leaveSure: "Ja, verlassen",
    ended: "Du bist nicht mehr in dieser Gruppe.",
    menu: (who) => `Was mit ${who} geschehen soll`,
    waiting: "Dieser Browser wartet auf die Liste der Mitglieder von einem anderen Mitglied.",
  },
  devices: {
    title: "Geräte",
    what: "Diese Geräte lesen und schreiben in deinem Namen.",
    here: "dieser Browser",
    nameless: "Ein Gerät ohne Namen",
    since: (when) => `Seit ${when}`,
    seen: (when) => `zuletzt hier ${when}`,
    waits: "Wartet auf Freigabe und liest nichts.",
    remove: "Entfernen",
    removeWhat:
      "Es wird abgemeldet und liest nichts mehr, was von jetzt an geschrieben wird. Ging es verloren oder wurde es gestohlen, ändere auch dein Passwort.",
    removeSure: "Ja, entfernen",
    approve: "Neues Gerät freigeben",
    approveWhat: "Melde dich auf dem neuen Gerät an. Es zeigt einen Code: Gib ihn hier ein.",
    code: "Code des neuen Geräts",
    find: "Gerät suchen",
    found: (name, when) => `${name}, angemeldet ${when}`,
    foundWhat:
      "Ist das das Gerät, das du vor dir hast? Ist es freigegeben, liest es alles, was von jetzt an geschrieben wird. Gib nie einen Code frei, den dir jemand geschickt hat.",
    yes: "Ja, freigeben",
    approved: "Es ist freigegeben.",
    codeLabel: "QR-Code vom Code dieses Browsers",
  },
  files: {
    attach: "Dateien anhängen",
    drop: "Leg Dateien hier ab, um sie zu senden",
    sending: (name) => `${name} wird gesendet`,
    failed: (name) => `${name} wurde nicht gesendet`,
    cancel: (name) => `${name} nicht senden`,
    again: (name) => `${name} noch einmal senden`,
    forget: (name) => `${name} vergessen`,
    save: (name) => `${name} speichern`,
    saving: (name) => `${name} wird geholt`,
    stop: (name) => `${name} nicht weiter holen`,
    picture: (name) => `Bild: ${name}`,
    noPicture: "Das lässt sich nicht als Bild zeigen.",
  },
  warnings: {
    understood: "Gesehen",
    compare: "Vergleichen",
    devices: "Geräte ansehen",
    members: "Mitglieder ansehen",
    somebody: "jemandem",
    identity: {
      refused: {
        happened: (who) => `Die Identität von ${who} ist eine andere.`,
        means: (who) =>
          `${who} hat vielleicht auf allen Geräten neu angefangen. Oder jemand anders gibt sich als ${who} aus.`,
        todo: (who) =>
          `An ${who} wird nichts gesendet, bis du entscheidest: Vergleiche die Sicherheitsnummer, dann nimm an.`,
      },
      accepted: {
        happened: (who) => `Die Identität von ${who} ist eine andere.`,
        means: (who) =>
          `${who} hat vielleicht auf allen Geräten neu angefangen. Oder jemand anders gibt sich als ${who} aus. Verglichen war vorher nicht, darum geht es mit den Nachrichten weiter.`,
        todo: "Vergleiche die Sicherheitsnummer, um sicher zu sein.",
      },
    },
    unknown: {
      happened: "Etwas am Server ist nicht, wie es sein sollte.",
      means: "Es kann ein Fehler sein, oder jemand ist dort eingedrungen.",
      todo: "Sag es dem, der ihn betreibt.",
    },
    kinds: {
      message_rejected: {
        happened: (who) => `Eine Nachricht von ${who} wurde nicht angenommen.`,
        means: "Sie wurde unterwegs verändert, wiederholt oder verschoben. Das kann der Server getan haben.",
        todo: "Frag auf einem anderen Weg, was darin stand, und sag es dem, der den Server betreibt.",
      },
      messages_missing: {
        happened: (who) => `Nachrichten von ${who} fehlen.`,
        means: "Der Server hält sie zurück oder hat sie verloren.",
        todo: "Sie werden von selbst noch einmal erbeten. Kommen sie nicht, frag auf einem anderen Weg nach.",
      },
      messages_reordered: {
        happened: (who) => `Nachrichten von ${who} kamen in anderer Reihenfolge, als sie geschrieben wurden.`,
        means: "Der Server hat einige davon eine Weile zurückgehalten.",
        todo: "Lies sie nach den Zeiten, die daneben stehen.",
      },
      messages_lost: {
        happened: (who) => `Eine Nachricht von ${who} lässt sich nicht lesen.`,
        means: "Sie ließ sich nicht entschlüsseln, und noch einmal nachzufragen half nicht.",
        todo: "Bitte darum, sie noch einmal zu schreiben.",
      },
      history_rewritten: {
        happened: "Der Server zeigt an einer Stelle dieser Unterhaltung eine andere Nachricht als vorher.",
        means:
          "Ihr Verlauf wurde verändert, durch einen Fehler oder durch jemanden, der dort eingedrungen ist.",
        todo: "Was du gelesen hast, bleibt, wie es war. Sag es dem, der den Server betreibt.",
      },
      keys_refused: {
        happened: (who) => `Der Server gab Schlüssel von ${who} heraus, die nicht stimmen.`,
        means: "Jemand will vielleicht mitlesen, indem er eigene Schlüssel unterschiebt.",
        todo: "Nichts wurde damit verschlüsselt. Vergleiche die Sicherheitsnummer.",
      },
      device_refused: {
        happened: (who) => `Der Server nennt ein Gerät von ${who}, für das nichts bürgt.`,
        means: "Jemand will damit vielleicht mitlesen.",
        todo: (who) => `Es bekommt nichts. Frag ${who} auf einem anderen Weg nach neuen Geräten.`,
      },
      contact_refused: {
        happened: (who) => `Der Server sagt, unter dem Namen von ${who} stehe jetzt jemand anders.`,
        means: "Namen wechseln nicht: Jemand will vielleicht Nachrichten bekommen, die für andere sind.",
        todo: "Es wird nicht geglaubt, und nichts wird dorthin gesendet. Vergleiche die Sicherheitsnummer.",
      },
      audience_refused: {
        happened: "Der Server hat jemanden in diese Unterhaltung gesetzt, für den hier niemand bürgt.",
        means: "Vielleicht soll da jemand mitlesen.",
        todo: "Dorthin geht nichts. Frag die anderen, ob sie davon wissen.",
      },
      roster_differs: {
        happened: "Die Mitglieder dieser Gruppe sind sich nicht einig, wer dazugehört.",
        means:
          "Jemand hat die Mitglieder geändert, der es nicht darf, oder der Server zeigt jedem etwas anderes.",
        todo: "Vergleiche mit den anderen, wer in der Gruppe ist.",
      },
      history_differs: {
        happened: (who) =>
          `Von ${who} kam, dass dort ein anderer Verlauf dieser Unterhaltung zu sehen ist als hier.`,
        means: "Der Server zeigt jedem etwas anderes.",
        todo: "Vergleicht die letzten Nachrichten auf einem anderen Weg.",
      },
      profile_restored: {
        happened: "Der Server hat Nachrichten dieses Browsers, die dieser nicht kennt.",
        means: "Die Daten des Browsers sind eine ältere Kopie, oder jemand anders hat eine Kopie davon.",
        todo: "Hast du keine Sicherung zurückgespielt, sieh deine Geräte an und ändere dein Passwort.",
      },
      file_rejected: {
        happened: (who) => `Eine Datei von ${who} ist nicht die, die gesendet wurde.`,
        means: "Sie wurde beim Server verändert oder beschädigt.",
        todo: "Nichts davon wurde behalten. Bitte darum, sie noch einmal zu senden.",
      },
      device_waiting: {
        happened: "Ein neues Gerät bittet um Einlass in dein Konto.",
        means: "Jemand hat sich mit deinem Passwort angemeldet.",
        todo: "Warst du es, gib es mit dem Code frei, den es zeigt. Wenn nicht, entfern es und ändere dein Passwort.",
      },
      history_restarted: {
        happened: "Der Server wurde auf eine ältere Kopie seiner Daten zurückgesetzt.",
        means: "Die letzten Minuten fehlen dort vielleicht.",
        todo: "Was du seitdem gesendet hast, wird von selbst noch einmal gesendet. Frag nach, was dir fehlt.",
      },
    },
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
    bad_link: "Das ist kein Kontaktlink dieses Servers. Wurde er ganz kopiert?",
    wrong_number:
      "Das passt nicht zu dem, was dieser Browser sieht. Nichts wurde markiert. Ist es richtig abgeschrieben, steht vielleicht jemand zwischen euch.",
    not_in_group:
      "Das geht bei dieser Gruppe nicht: Du darfst es nicht, oder für diese Person bürgt noch niemand. Sieh dir die Mitglieder noch einmal an.",
    wrong_code:
      "Keines deiner Geräte, die warten, zeigt diesen Code. Prüf ihn, oder nimm den neuesten, der dort steht.",
    not_yours: "Das kann nur, wer sie geschrieben hat.",
    file_too_large: "Die Datei ist zu groß, oder dein Platz auf dem Server ist aufgebraucht.",
    file_unreadable: "Die Datei lässt sich nicht mehr lesen. Wähl sie noch einmal aus.",
    file_damaged: "Der Server gab eine andere Datei heraus, als gesendet wurde. Nichts davon wurde behalten.",
    too_many_files: "Zu viele Dateien sind unterwegs. Warte, bis einige angekommen sind.",
    cancelled: "Es wurde abgebrochen.",
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
    again: "Noch einmal senden",
    forget: "Wegnehmen",
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
