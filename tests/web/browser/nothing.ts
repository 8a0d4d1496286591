/** What a browser has by itself. */

export {};
