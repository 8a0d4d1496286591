/**
 * Files. A `transfer` is a new UUID by which events say how far it has come (`transfer_progressed`), and by which it is
 * given up.
 */

import type { Message } from "../../store/messages.ts";

interface Transfer {
  readonly transfer: string;
}

export interface FileCalls {
  /**
   * Encrypt a file, bring it to the server, and write down the message that holds its key. `clientId` is a new UUID, so
   * that it goes once.
   */
  sendFile: {
    asked: Transfer & {
      readonly conversationId: string;
      readonly clientId: string;
      readonly file: Blob;
      readonly name: string;
      readonly text: string;
    };
    answer: Message;
  };
  /**
   * A message's file. Its type is that of a picture that may be shown, by its bytes, and else such that no browser
   * opens it. `most`: the bytes that it may have.
   */
  fetchFile: { asked: Transfer & { readonly id: number; readonly most?: number }; answer: Blob };
  cancel: { asked: Transfer; answer: null };
}
