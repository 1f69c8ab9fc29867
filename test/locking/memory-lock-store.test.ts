import { MemoryLockStore } from "../../src/locking/memory-lock-store.ts";
import { lockStoreContract } from "../contract/lock-store.ts";

lockStoreContract("memory", (work) => work({ store: new MemoryLockStore(), moveTo: () => {} }));
