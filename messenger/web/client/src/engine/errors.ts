/**
 * What can go wrong for who uses the engine, each thing under its own name.
 *
 * The text is one line for the user, `code` a stable word. What a hostile server does to messages is no error of a
 * call: it comes as an event (events.ts). Errors of the network (net/errors.ts) and of the store (store/errors.ts)
 * keep their own names. Names are written out, since a bundle has other ones for classes.
 */

/** All errors of the engine. */
export class ClientError extends Error {
  override name = "ClientError";
  readonly code: string;

  constructor(text: string, code: string) {
    super(text);
    this.code = code;
  }
}

/** The password is too short, too long, or among the first that anyone would try. */
export class WeakPassword extends ClientError {
  override name = "WeakPassword";

  constructor(text: string) {
    super(text, "weak_password");
  }
}

/** The server wants the password in a way that would give it away; nothing was sent. */
export class KdfRefused extends ClientError {
  override name = "KdfRefused";
}

/** The account wants a code of its second factor. */
export class SecondFactorRequired extends ClientError {
  override name = "SecondFactorRequired";

  constructor() {
    super("The account wants a code of its second factor.", "second_factor_required");
  }
}

/** The profile is another account's, or of another server. */
export class ProfileMismatch extends ClientError {
  override name = "ProfileMismatch";

  constructor(text: string) {
    super(text, "profile_mismatch");
  }
}

/** There is no user of this name. */
export class UnknownUser extends ClientError {
  override name = "UnknownUser";

  constructor(username: string) {
    super(`There is no user ${username}.`, "unknown_user");
  }
}

/** There is no such conversation. */
export class UnknownConversation extends ClientError {
  override name = "UnknownConversation";

  constructor() {
    super("There is no such conversation.", "unknown_conversation");
  }
}

/** There is no such message here. */
export class UnknownMessage extends ClientError {
  override name = "UnknownMessage";

  constructor() {
    super("There is no such message here.", "unknown_message");
  }
}

/** What a warning tells of is to be decided first. */
export class StillStands extends ClientError {
  override name = "StillStands";

  constructor(text: string) {
    super(text, "still_stands");
  }
}

/** The conversation has ended; its history stays. */
export class ConversationHasEnded extends ClientError {
  override name = "ConversationHasEnded";

  constructor() {
    super("The conversation has ended; its history stays.", "conversation_ended");
  }
}

/** The user has no device that can be encrypted to. */
export class NoDevices extends ClientError {
  override name = "NoDevices";

  constructor(username: string) {
    super(`${username} has no device to encrypt to.`, "no_devices");
  }
}

/** This device has not been approved by an older one yet. */
export class NotApproved extends ClientError {
  override name = "NotApproved";

  constructor() {
    super("This device has not been approved by an older one yet.", "not_approved");
  }
}

/** The device code is mistyped, or fits none of the devices that wait. */
export class WrongCode extends ClientError {
  override name = "WrongCode";

  constructor(text: string, code = "wrong_code") {
    super(text, code);
  }
}

/** The user has not published an account key yet. */
export class NoIdentity extends ClientError {
  override name = "NoIdentity";

  constructor(text: string) {
    super(text, "no_identity");
  }
}

/** The user's identity has changed, or a device of theirs is not vouched for; nothing is sent. */
export class IdentityRefused extends ClientError {
  override name = "IdentityRefused";
}

/** The server names another user than the one that is pinned under this name. */
export class ContactConflict extends ClientError {
  override name = "ContactConflict";

  constructor(text: string) {
    super(text, "contact_refused");
  }
}

/** The contact link is damaged, or of another server. */
export class BadLink extends ClientError {
  override name = "BadLink";

  constructor(text: string) {
    super(text, "bad_link");
  }
}

/** What was compared is not what this device sees; nothing was marked. */
export class WrongSafetyNumber extends ClientError {
  override name = "WrongSafetyNumber";

  constructor(text: string) {
    super(text, "wrong_safety_number");
  }
}

/** This user may not change the group in this way, or nobody vouches for who is to be added. */
export class MembershipRefused extends ClientError {
  override name = "MembershipRefused";

  constructor(text: string) {
    super(text, "membership_refused");
  }
}

/** Only its author may say this of a message. */
export class NotYours extends ClientError {
  override name = "NotYours";

  constructor(text: string) {
    super(text, "not_yours");
  }
}

/** The text does not fit into one message. */
export class MessageTooLarge extends ClientError {
  override name = "MessageTooLarge";

  constructor(text: string) {
    super(text, "message_too_large");
  }
}

/** Too many messages wait to be sent. */
export class QueueFull extends ClientError {
  override name = "QueueFull";

  constructor() {
    super("Too many messages wait to be sent.", "queue_full");
  }
}

/** The message can't be sent; `code` says why. */
export class SendingFailed extends ClientError {
  override name = "SendingFailed";
}

/** The file is larger than this client brings, or than was asked for. */
export class FileTooLarge extends ClientError {
  override name = "FileTooLarge";

  constructor() {
    super("The file is too large.", "file_too_large");
  }
}

/** The file that the server gave out is not the one that was sent. */
export class FileDamaged extends ClientError {
  override name = "FileDamaged";

  constructor(text: string) {
    super(text, "file_damaged");
  }
}
