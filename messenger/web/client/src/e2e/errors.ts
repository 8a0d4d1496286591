/**
 * What can go wrong with encrypted messages, each thing under its own name.
 *
 * The server is assumed hostile, so most of these name something that it (or a peer) did. `asksResend` says
 * whether it makes sense to ask the sender for the message again over a new session. The text is one line, fit
 * to be shown to a user, and holds no secret. Names are written out, since a bundle has other ones for classes.
 */

/** All errors of this package. */
export class EncryptionError extends Error {
  override name = "EncryptionError";
  readonly asksResend: boolean = false;
}

/** Bytes that are no envelope, content, payload or key of ours. */
export class Malformed extends EncryptionError {
  override name = "Malformed";
}

/** A format made by a newer client. */
export class UnsupportedVersion extends Malformed {
  override name = "UnsupportedVersion";
}

/** Stored state that does not decode: the store is damaged or from a newer version. */
export class BadState extends EncryptionError {
  override name = "BadState";
}

/** A payload that does not fit into one message. */
export class PayloadTooLarge extends EncryptionError {
  override name = "PayloadTooLarge";
}

/** A message that this device can't decrypt, but another copy of it perhaps can. */
export class Undecryptable extends EncryptionError {
  override name = "Undecryptable";
  override readonly asksResend: boolean = true;
}

/** There is no session of this id with the device. */
export class NoSession extends Undecryptable {
  override name = "NoSession";
}

/** A first message for a prekey that was used before, or is gone. */
export class UnknownPrekey extends Undecryptable {
  override name = "UnknownPrekey";
}

/** Group content under a sender key that this device was not given. */
export class UnknownSenderKey extends Undecryptable {
  override name = "UnknownSenderKey";
}

/** More messages were skipped than keys are worked out for. */
export class TooFarAhead extends Undecryptable {
  override name = "TooFarAhead";
}

/** The ciphertext was changed, or is of another key. */
export class AuthenticationFailed extends Undecryptable {
  override name = "AuthenticationFailed";
}

/** Something that was taken in before. */
export class Replayed extends EncryptionError {
  override name = "Replayed";
}

/** A message whose key was used before. */
export class ReplayedMessage extends Replayed {
  override name = "ReplayedMessage";
}

/**
 * A first message without a one-time prekey whose session began before, and is gone.
 *
 * Not always a replay: before it is answered, a sender puts the handshake before each message. So a message
 * that this device has not got may be asked for.
 */
export class ReplayedFirstMessage extends Replayed {
  override name = "ReplayedFirstMessage";
  override readonly asksResend: boolean = true;
}

/**
 * So many first messages without one-time prekeys came that no more can be told from replays.
 *
 * They are refused until the signed prekey that they are for has been rotated out.
 */
export class ReplayMemoryFull extends EncryptionError {
  override name = "ReplayMemoryFull";
}

/** The server presents a message as something else than its sender made it. */
export class Refiled extends EncryptionError {
  override name = "Refiled";
}

/** A message of another conversation. */
export class ConversationMismatch extends Refiled {
  override name = "ConversationMismatch";
}

/** A message of another user or device. */
export class SenderMismatch extends Refiled {
  override name = "SenderMismatch";
}

/** A message under another client_id than its sender's. */
export class ClientIdMismatch extends Refiled {
  override name = "ClientIdMismatch";
}

/** A message under another kind than its sender's. */
export class KindMismatch extends Refiled {
  override name = "KindMismatch";
}

/** A message of this device, presented to it as one to be decrypted. */
export class ReflectedMessage extends EncryptionError {
  override name = "ReflectedMessage";
}

/** A device or key that nothing vouches for. */
export class Untrusted extends EncryptionError {
  override name = "Untrusted";
}

/** A device that its user's signed device list does not name, or names no more. */
export class UnlistedDevice extends Untrusted {
  override name = "UnlistedDevice";
}

/** A message of a device of one's own that came before this one was approved, and could judge it. */
export class NotApprovedYet extends UnlistedDevice {
  override name = "NotApprovedYet";
  override readonly asksResend: boolean = true;
}

/** A device list that its account key has not signed, or that is none. */
export class BadDeviceList extends Untrusted {
  override name = "BadDeviceList";
}

/** A device list older than the one that was seen before, or than its user speaks of. */
export class OldDeviceList extends Untrusted {
  override name = "OldDeviceList";
}

/** The server gives a known name to another user, or a known user another name. */
export class ContactChanged extends Untrusted {
  override name = "ContactChanged";
}

/** A user or device that is not of those whom a conversation is with. */
export class NotInAudience extends Untrusted {
  override name = "NotInAudience";
}

/** Somebody says something about a message or a conversation that only others may say. */
export class NotTheAuthor extends Untrusted {
  override name = "NotTheAuthor";
}

/** A device with another identity key than before, which no device ever has. */
export class IdentityKeyChanged extends Untrusted {
  override name = "IdentityKeyChanged";
}

/** A user with another account key than before, or with none where there was one. */
export class AccountKeyChanged extends Untrusted {
  override name = "AccountKeyChanged";
  readonly userId: string;
  readonly old: Uint8Array | null;
  readonly new: Uint8Array | null;
  readonly wasVerified: boolean;

  constructor(userId: string, old: Uint8Array | null, now: Uint8Array | null, wasVerified: boolean) {
    super(`The account key of user ${userId} has changed.`);
    this.userId = userId;
    this.old = old;
    this.new = now;
    this.wasVerified = wasVerified;
  }
}

/** A prekey that its device's identity key has not signed. */
export class BadPrekeySignature extends Untrusted {
  override name = "BadPrekeySignature";
}

/** A bundle or a handshake without ML-KEM, which every device has. */
export class KemDowngrade extends Untrusted {
  override name = "KemDowngrade";
}

/** A public key that is no point, or one of small order. */
export class UnusableKey extends Untrusted {
  override name = "UnusableKey";
}

/** A sender key that is not taken: from no member, or against one that stands. */
export class SenderKeyRefused extends EncryptionError {
  override name = "SenderKeyRefused";
}

/** Group content that the chain's key has not signed. */
export class BadSenderSignature extends SenderKeyRefused {
  override name = "BadSenderSignature";
  override readonly asksResend: boolean = true;
}

/** A message is not sent again to a device, or was not asked for. */
export class NotResent extends EncryptionError {
  override name = "NotResent";
}

/** A blob that is not the file its reference speaks of. */
export class FileError extends EncryptionError {
  override name = "FileError";
}

/** A chunk was changed, moved or replaced. */
export class FileTampered extends FileError {
  override name = "FileTampered";
  readonly chunk: number;

  constructor(chunk: number) {
    super(`The file was changed: chunk ${String(chunk)} is not the sender's.`);
    this.chunk = chunk;
  }
}

/** The blob ends before the file does. */
export class FileTruncated extends FileError {
  override name = "FileTruncated";
}

/** The blob's size or hash is not the reference's. */
export class FileMismatch extends FileError {
  override name = "FileMismatch";
}

/** A device code that is mistyped, or that fits none of the devices that wait. */
export class CodeError extends EncryptionError {
  override name = "CodeError";
}

/** An account key that does not come from whoever was shown this device's code. */
export class GrantRefused extends EncryptionError {
  override name = "GrantRefused";
}

/** A roster or a change of one that does not count: by whom, or on what it rests. */
export class RosterRefused extends EncryptionError {
  override name = "RosterRefused";
}

/** A device code that was shown over ten minutes ago. */
export class CodeExpired extends CodeError {
  override name = "CodeExpired";
}

/** A contact link or code that is mistyped, or of another server. */
export class BadContactCode extends EncryptionError {
  override name = "BadContactCode";
}

/** A way to derive the password that is not taken. */
export class KdfError extends EncryptionError {
  override name = "KdfError";
}

/** None: the password itself is asked for. */
export class BareKdf extends KdfError {
  override name = "BareKdf";
}

/** Another algorithm. */
export class UnknownKdf extends KdfError {
  override name = "UnknownKdf";
}

/** Too little work, or less than before. */
export class WeakKdf extends KdfError {
  override name = "WeakKdf";
}

/** Parameters that are out of all bounds. */
export class ExcessiveKdf extends KdfError {
  override name = "ExcessiveKdf";
}
