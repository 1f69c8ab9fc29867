import { describe, expect, it } from "vitest";
import { WarpError } from "../../src/errors.ts";
import { type CommitStorage, GroupCommit } from "../../src/shard/group-commit.ts";

/** Storage whose commits the test lets through one by one, and which keeps what was committed. */
class GatedStorage implements CommitStorage {
  readonly rows: string[] = [];
  undoneTimes = 0;
  readonly gates: { open: () => void; fail: (error: unknown) => void }[] = [];

  transaction<T>(work: () => T): T {
    const before = this.rows.length;
    try {
      return work();
    } catch (error) {
      this.rows.length = before;
      throw error;
    }
  }

  durable(): Promise<void> {
    return new Promise((open, fail) => this.gates.push({ open, fail }));
  }

  undone(): void {
    this.undoneTimes++;
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

function bed(grouping = true) {
  const storage = new GatedStorage();
  const commit = new GroupCommit(storage, { grouping, maxWeight: 100 });
  const put = (row: string, weight = 1) =>
    commit.submit(() => {
      storage.rows.push(row);
      return row;
    }, weight);
  return { storage, commit, put };
}

describe("group commit", () => {
  it("commits together what arrives while a commit is under way", async () => {
    const { storage, commit, put } = bed();
    const all = [put("a"), put("b"), put("c"), put("d")];
    expect(storage.rows).toEqual(["a"]);
    storage.gates[0]?.open();
    await settle();
    expect(storage.rows).toEqual(["a", "b", "c", "d"]);
    expect(storage.gates.length).toBe(2);
    storage.gates[1]?.open();
    expect(await Promise.all(all)).toEqual(["a", "b", "c", "d"]);
    expect(commit.stats).toEqual({ commits: 2, works: 4 });
  });

  it("answers nobody before the commit is durable", async () => {
    const { storage, put } = bed();
    let answered = false;
    const a = put("a").then(() => {
      answered = true;
    });
    await settle();
    expect(answered).toBe(false);
    storage.gates[0]?.open();
    await a;
    expect(answered).toBe(true);
  });

  it("a piece of work that throws harms no other in its group", async () => {
    const { storage, commit, put } = bed();
    const first = put("a");
    const good = put("b");
    const bad = commit.submit(() => {
      storage.rows.push("half");
      throw new Error("disk full");
    });
    const alsoGood = put("c");
    const outcome = expect(bad).rejects.toMatchObject({ code: "storage_unavailable", outcome: "fail" });
    storage.gates[0]?.open();
    await settle();
    storage.gates[1]?.open();
    expect(await Promise.all([first, good, alsoGood])).toEqual(["a", "b", "c"]);
    await outcome;
    expect(storage.rows).toEqual(["a", "b", "c"]);
    expect(storage.undoneTimes).toBeGreaterThan(0);
  });

  it("OU1 a commit of unknown fate says so to its whole group, and the next group goes on", async () => {
    const { storage, put } = bed();
    const a = expect(put("a")).rejects.toMatchObject({ code: "storage_unavailable", outcome: "unknown" });
    const b = put("b");
    storage.gates[0]?.fail(new Error("gone"));
    await a;
    await settle();
    storage.gates[1]?.open();
    expect(await b).toBe("b");
  });

  it("keeps a group within its weight, and takes a heavier piece alone", async () => {
    const { storage, put } = bed();
    const all = [put("a"), put("b", 60), put("c", 60), put("d", 500)];
    for (let i = 0; i < 4; i++) {
      storage.gates[i]?.open();
      await settle();
    }
    expect(await Promise.all(all)).toEqual(["a", "b", "c", "d"]);
    expect(storage.gates.length).toBe(4);
  });

  it("can be switched off, one commit for each piece", async () => {
    const { storage, commit, put } = bed(false);
    const all = [put("a"), put("b"), put("c")];
    for (let i = 0; i < 3; i++) {
      storage.gates[i]?.open();
      await settle();
    }
    await Promise.all(all);
    expect(commit.stats).toEqual({ commits: 3, works: 3 });
  });

  it("keeps a definite error as it is", async () => {
    const { storage, commit } = bed();
    const refused = expect(
      commit.submit(() => {
        throw new WarpError("registration_conflict", "no");
      }),
    ).rejects.toMatchObject({ code: "registration_conflict" });
    storage.gates[0]?.open();
    await refused;
  });
});
