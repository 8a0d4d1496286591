/** Node has no IndexedDB: a stand-in makes the globals. In a browser, its own is there. */

import "fake-indexeddb/auto";
