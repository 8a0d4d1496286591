/**
 * What can go wrong with the store, each thing under its own name.
 *
 * The text is one line for the user, `code` a stable word. Names are written out, since a bundle has other ones
 * for classes. Whatever is thrown, the store holds what it held before.
 */

/** All errors of the store. */
export class StoreError extends Error {
  override name = "StoreError";
  readonly code: string = "store_error";
}

/** There is no profile here: register or log in first. */
export class NoProfile extends StoreError {
  override name = "NoProfile";
  override readonly code = "no_profile";

  constructor() {
    super("There is no profile here: register or log in first.");
  }
}

/** There is a profile here already. */
export class ProfileExists extends StoreError {
  override name = "ProfileExists";
  override readonly code = "profile_exists";

  constructor() {
    super("There is a profile here already.");
  }
}

/** Another tab or worker has opened this profile since: this one may write no more. */
export class ProfileTaken extends StoreError {
  override name = "ProfileTaken";
  override readonly code = "profile_locked";

  constructor() {
    super("This profile is open in another tab.");
  }
}

/** The password does not open the store, or none was given for one that is locked. */
export class WrongPassword extends StoreError {
  override name = "WrongPassword";
  override readonly code = "wrong_password";

  constructor() {
    super("The password does not open the store.");
  }
}

/** The store is damaged. */
export class StoreCorrupt extends StoreError {
  override name = "StoreCorrupt";
  override readonly code: string = "store_corrupt";
}

/** One record is damaged: it was changed, moved, or is of another key. */
export class DamagedRecord extends StoreCorrupt {
  override name = "DamagedRecord";
  override readonly code = "damaged_record";
  readonly table: string;

  constructor(table: string) {
    super(`A record of ${table} is damaged: it was changed on the disk, or moved.`);
    this.table = table;
  }
}

/** The store was written by a newer version of this program. */
export class StoreTooNew extends StoreError {
  override name = "StoreTooNew";
  override readonly code = "store_too_new";

  constructor() {
    super("The store was written by a newer version of this program: load the page again.");
  }
}

/** The browser gives no more space. Nothing was written, and nothing lost. */
export class StoreFull extends StoreError {
  override name = "StoreFull";
  override readonly code = "store_full";

  constructor() {
    super("The browser gives this page no more space: free some, or delete old conversations.");
  }
}

/** The store is closed: by `close`, by a newer version in another tab, or by the browser. */
export class StoreClosed extends StoreError {
  override name = "StoreClosed";
  override readonly code = "store_closed";

  constructor() {
    super("The store is closed.");
  }
}

/** Another tab holds an older version of the store open, and does not let go. */
export class StoreBusy extends StoreError {
  override name = "StoreBusy";
  override readonly code = "store_busy";

  constructor() {
    super("Another tab has an older version of this page open: close it.");
  }
}

/** The browser gives out no database, as in some private windows, or its disk fails. */
export class StoreUnavailable extends StoreError {
  override name = "StoreUnavailable";
  override readonly code = "store_unavailable";
}

/** A file that is no export, was cut or changed, or has another password. Nothing of it was taken. */
export class ExportRefused extends StoreError {
  override name = "ExportRefused";
  override readonly code = "export_refused";
}

/** An export of another account, or of another server. Nothing of it was taken. */
export class ProfileMismatch extends StoreError {
  override name = "ProfileMismatch";
  override readonly code = "profile_mismatch";

  constructor() {
    super("The export is another account's, or of another server.");
  }
}
