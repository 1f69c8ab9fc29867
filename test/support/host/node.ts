import { nodeSql } from "../../../src/platform/node.ts";
import type { Host } from "./host.ts";

export const host: Host = {
  name: "node",
  async withSql(work) {
    const sql = nodeSql();
    try {
      return await work(sql);
    } finally {
      sql.close();
    }
  },
};
