/**
 * What can go wrong with the server, each thing under its own name.
 *
 * A wait that was given up by its AbortSignal throws that signal's reason, as all of the platform does. Names are
 * written out, since a bundle has other ones for classes.
 */

import { type Problem } from "../wire/errors.ts";

/** All errors of this package. The text is one line, fit to be shown to a user. */
export class NetError extends Error {
  override name = "NetError";
}

/** The server can't be reached, or does not answer in time. */
export class Unreachable extends NetError {
  override name = "Unreachable";
}

/** The server has answered something that is no answer. */
export class BadAnswer extends NetError {
  override name = "BadAnswer";
}

/** The server said no. */
export class Refused extends NetError {
  override name = "Refused";
  readonly status: number;
  readonly problem: Problem;

  constructor(status: number, problem: Problem) {
    super(problem.detail || `The server answered ${String(status)}.`);
    this.status = status;
    this.problem = problem;
  }

  /** The contract's word, or one that this client does not know. */
  get code(): string {
    return this.problem.code;
  }
}

/** Too many requests, or a server that can't serve now. */
export class Busy extends Refused {
  override name = "Busy";
  /** Milliseconds that the server asks for; `undefined` where it names none. */
  readonly retryAfter: number | undefined;

  constructor(status: number, problem: Problem, retryAfter: number | undefined) {
    super(status, problem);
    this.retryAfter = retryAfter;
  }
}

/** The session has ended: log in again. `code` says why: `removed`, `refresh_reused`, `unauthorized`. */
export class SessionEnded extends NetError {
  override name = "SessionEnded";
  readonly code: string;

  constructor(code: string) {
    super("The session has ended: log in again.");
    this.code = code;
  }
}

/** An upload that the server does not keep any longer. */
export class UploadGone extends NetError {
  override name = "UploadGone";
}

/** A file that is another one than when its download began. */
export class FileChanged extends NetError {
  override name = "FileChanged";
}

/** There is no connection now, or it has too much to do already. */
export class NotConnected extends NetError {
  override name = "NotConnected";
}

/** The connection was lost before the answer came, or it did not come in time: whether it was done is not known. */
export class Unanswered extends NetError {
  override name = "Unanswered";
}

/** More than the server takes in one frame. */
export class FrameTooLong extends NetError {
  override name = "FrameTooLong";
}
