import type { Mutant } from "./mutant.ts";

const catchUp = "src/shard/hub/watch/catch-up.ts";
const feed = "src/shard/hub/watch/watch-feed.ts";
const watches = "src/shard/hub/watch/watches.ts";
const limits = "src/runtime/limits.ts";
const filterSet = "src/shard/hub/watch/filter-set.ts";

/** Sessions are slow soon, and take their time. */
const smallBuffers = [
  { file: limits, find: "markBytes = 65_536", replace: "markBytes = 60" },
  { file: limits, find: "slowBytes = 262_144", replace: "slowBytes = 150" },
  { file: limits, find: "maxSlowMs = 10_000", replace: "maxSlowMs = 1_000_000" },
];

const smallAttachments = [
  { file: limits, find: "maxAttachedBytes = 8_000", replace: "maxAttachedBytes = 100" },
];

/** Bugs of a shard in telling those who watch. */
const hubMutants: readonly Mutant[] = [
  {
    name: "watch told before durable",
    file: "src/shard/watched-log.ts",
    find: "return this.#published.position;",
    replace: "return this.#published.written;",
    what: "those who watch are told what is written and not durable yet",
  },
  {
    name: "snapshot before durable",
    file: catchUp,
    find: "if (position?.epoch !== held.at.epoch || position.revision < held.at.revision) return false;",
    replace: "",
    what: "a page of the state is told before it is durable",
  },
  {
    name: "snapshot without changes",
    file: catchUp,
    find: "const changes = begun ?",
    replace: "const changes = begun && id < 0 ?",
    what: "what changes between two pages of a snapshot is not told",
  },
  {
    name: "snapshot tells all changes",
    file: catchUp,
    find: 'kind.startsWith("publish") || compareKeys(key, told) <= 0',
    replace: 'kind.startsWith("publish") || key !== told + "?"',
    what: "between two pages come changes of keys that the next pages will tell, too",
  },
  {
    name: "snapshot noted as told",
    file: "src/shard/hub/watch/subscription.ts",
    find: '...(this.stage === "snapshot" ? { snapshot: true } : {}),',
    replace: '...(this.stage === "snapshot" && !this.begun ? { snapshot: true } : {}),',
    what: "a snapshot that an instance has begun is taken for whole by the next one",
    also: smallBuffers,
  },
  {
    name: "live cursor ahead",
    file: feed,
    find: "watcher.at = { epoch: head.epoch, revision: framed.to };",
    replace: "watcher.at = head;",
    what: "after the first frame a session counts as told of everything",
  },
  {
    name: "replay cursor ahead",
    file: catchUp,
    find: "subscription.at = { epoch: head.epoch, revision: to };",
    replace: "subscription.at = { epoch: head.epoch, revision: Math.max(to, page.to) };",
    what: "a replay goes on behind its page, though only a part of it went into the frame",
  },
  {
    name: "lost on wake",
    file: watches,
    find: "const watcher = new Watcher(session, { epoch, revision }, this.#options.elapsed.now());",
    replace: "const watcher = new Watcher(session, this.#head, this.#options.elapsed.now());",
    what: "after a wake-up a session stands at the head, though it was not told so far",
    also: smallBuffers,
  },
  {
    name: "nothing told on wake",
    file: "src/shard/hub/hub.ts",
    find: "else if (this.#pushes.watches.adopt(session)) watching = true;",
    replace: "",
    what: "an instance that wakes forgets what its sessions watch",
  },
  {
    name: "table not kept up",
    file: watches,
    find: "if (isStored) table.save(session.id, records);",
    replace: "if (isStored && !wasStored) table.save(session.id, records);",
    what: "what the attachment has no room for is written down once and not kept up",
    also: smallAttachments,
  },
  {
    name: "table emptied on wake",
    file: "src/shard/hub/hub.ts",
    find: "(id) => id === ending || this.#sessions.get(id) !== undefined",
    replace: "() => false",
    what: "an instance that wakes removes what the sessions watch that are open",
    also: smallAttachments,
  },
  {
    name: "gap of a replay not told",
    file: catchUp,
    find: 'if (page === undefined) {\n      feed.gap(watcher, subscription, head, "compacted");',
    replace: "if (page === undefined) {\n      subscription.at = at;",
    what: "a cursor that the log does not reach goes on at the head",
  },
  {
    name: "gap of an epoch not told",
    file: feed,
    find: 'else this.gapAll(watcher, head, "epoch");',
    replace: "else watcher.at = head;",
    what: "another life of the log is taken for the same",
  },
  {
    name: "gap of the live not told",
    file: feed,
    find: 'this.gapAll(watcher, head, "compacted");',
    replace: "watcher.at = head;",
    what: "live watches that the log has left behind go on at the head",
    also: smallBuffers,
  },
  {
    name: "rights not looked at again",
    file: watches,
    find: "        checkWatch(filter.target, session.caller);\n",
    replace: "",
    what: "watches go on that a newer token does not allow",
  },
  {
    name: "rights of a beginning not looked at",
    file: watches,
    find: "    checkTarget(target);\n    checkWatch(target, session.caller);",
    replace: "    checkTarget(target);",
    what: "a session watches beyond its prefixes",
  },
  {
    name: "newest of all, not of each key",
    file: filterSet,
    find: "            head.key,\n",
    replace: "",
    what: "`latest` tells one key of each page",
  },
  {
    name: "frame ends in a transaction",
    file: filterSet,
    find: "if (length > page.maxBytes && revision !== last) return { to: revision - 1, texts };",
    replace: "if (length > page.maxBytes) return { to: revision === last ? revision : revision - 1, texts };",
    what: "a frame that is large enough leaves out the rest of a transaction",
  },
  {
    name: "page ends in a transaction",
    file: "src/shard/watched-log.ts",
    find: "const to = beyond === undefined ? upTo : beyond - 1;",
    replace: "const to = beyond ?? upTo;",
    what: "a page counts as the end of a revision that it has only the beginning of",
  },
  {
    name: "passing told first",
    file: watches,
    find: "        if (watcher.at.revision < this.#head.revision) watcher.waiting.push(frame);\n        else session.push(frame);",
    replace: "        session.push(frame);",
    also: [
      {
        file: watches,
        find: "      this.#try(watcher, shared);\n      if (session.isSlow",
        replace: "      if (session.isSlow",
      },
    ],
    what: "a publication that passes overtakes entries that came before it",
  },
];

const linkWatch = "src/connection/socket/link-watch.ts";
const linkWatches = "src/connection/socket/link-watches.ts";
const shardWatch = "src/watchbus/shard/shard-watch.ts";
const smallQueue = [
  {
    file: limits,
    find: "maxWatchQueueBytes = 1_048_576",
    replace: "maxWatchQueueBytes = 400",
  },
  { file: limits, find: "watchResumeBytes = 262_144", replace: "watchResumeBytes = 100" },
];

/** Bugs of a node in taking in what its watches are told. */
const nodeMutants: readonly Mutant[] = [
  {
    name: "double after wake",
    file: linkWatch,
    find: "revision > from && this.wants(kind, key)",
    replace: "this.wants(kind, key)",
    what: "entries that a shard tells again after a wake-up are told to the application again",
  },
  {
    name: "live through a cut",
    file: linkWatch,
    find: "    this.#isLive = false;\n    this.#wasCut = true;",
    replace: "    this.#wasCut = true;",
    what: "a watch takes entries for all as its own before it was brought up to date",
    also: smallQueue,
  },
  {
    name: "state resumed in its middle",
    file: linkWatch,
    find: '    this.#place = undefined;\n    this.#start = "snapshot";\n    const place = done ? { epoch, revision: to } : undefined;\n    if (place',
    replace:
      '    this.#start = "snapshot";\n    const place = done ? { epoch, revision: to } : undefined;\n    this.#moved({ epoch, revision: to });\n    if (place',
    what: "a snapshot that is cut goes on in the log, though half of it was not told",
  },
  {
    name: "passing left out in silence",
    file: linkWatch,
    find: "if (this.#wasCut) this.missed();",
    replace: "",
    what: "a watch does not say that publications may have passed by while it was cut",
  },
  {
    name: "transaction resumed in its middle",
    file: "src/watchbus/events.ts",
    find: "if (isLast) told = Math.max(told, event.revision);",
    replace: "told = Math.max(told, event.revision);",
    what: "each part of a transaction has the cursor behind all of them",
  },
  {
    name: "cursor before it is taken",
    file: shardWatch,
    find: "          const items = this.#items(told);\n",
    replace: "          const items = this.#items(told);\n          this.#cursor = this.#here();\n",
    what: "a watch's cursor counts items that were handed over and not taken",
  },
  {
    name: "pause forgets where it was",
    file: linkWatches,
    find: "if (!watch.isResumable || !this.#watches.delete(watch.id)) return false;",
    replace: "if (!this.#watches.delete(watch.id)) return false;",
    what: "a watch pauses in the middle of its snapshot",
    also: smallQueue,
  },
  {
    name: "late words after a pause",
    file: linkWatches,
    find: "    watch.id = this.#nextId++;\n",
    replace: "    if (watch.id === 0) watch.id = this.#nextId++;\n",
    what: "a watch that goes on after a pause takes frames from before it",
    also: smallQueue,
  },
];

const part = "src/client/live/watch-part.ts";

/** The same of a client, which has its own. */
const clientMutants: readonly Mutant[] = [
  {
    name: "client: double after wake",
    file: part,
    find: "revision > from && this.#wants(kind, key)",
    replace: "this.#wants(kind, key)",
    what: "entries that a shard tells again after a wake-up are told to the application again",
  },
  {
    name: "client: live through a cut",
    file: part,
    find: "    this.#presence?.told(undefined);\n    this.#stand(standing);",
    replace: "    this.#presence?.told(undefined);",
    what: "a watch takes entries for all as its own before it was brought up to date",
    also: [
      ...smallQueue,
      { file: part, find: '  opened(): void {\n    this.#stand("behind");', replace: "  opened(): void {" },
    ],
  },
  {
    name: "client: state resumed in its middle",
    file: part,
    find: "        this.#told = place;\n",
    replace: "        this.#told = place ?? { epoch: frame.epoch, revision: frame.to };\n",
    what: "a snapshot that is cut goes on in the log, though half of it was not told",
  },
  {
    name: "client: passing left out in silence",
    file: part,
    find: "if (this.#isAway) this.#missed();",
    replace: "",
    what: "a watch does not say that publications may have passed by while it was cut",
  },
  {
    name: "client: transaction resumed in its middle",
    file: "src/client/live/watch-items.ts",
    find: 'if (next !== of || nextKind.startsWith("publish")) revision',
    replace: "revision",
    what: "each part of a transaction has the cursor behind all of them",
  },
  {
    name: "client: pause forgets where it was",
    file: "src/client/live/watch.ts",
    find: "this.#bytes > maxWatchQueueBytes && part.isResumable && !",
    replace: "this.#bytes > maxWatchQueueBytes && !",
    what: "a watch pauses in the middle of its snapshot",
    also: smallQueue,
  },
];

/** Bugs of watches, found in worlds of their own. */
export const watchMutants: readonly Mutant[] = [
  ...hubMutants.map((mutant) => ({ ...mutant, world: "hub" as const })),
  ...nodeMutants.map((mutant) => ({ ...mutant, world: "node" as const })),
  ...clientMutants.map((mutant) => ({ ...mutant, world: "client" as const })),
];
