import { keptVerdictsMs } from "../../runtime/upstash-limits.ts";
import { Script } from "../../upstash/script.ts";

/** `KEYS[1]`: `…l`, the space's epoch and newest revision; documents of names, verdicts and the index stand beside it. */
const prelude = `
local meta, call = KEYS[1], redis.call
local doc, ops, index = meta .. ':', meta .. 'o:', meta .. 'n'
local function n(number) return string.format('%.0f', number) end
`;

/**
 * `ARGV`: 1 a random epoch, 2 the time in ms (empty: the server's), 3 how many revisions to take (0: none), 4 how many names follow; then each name with the version of
 * its document that is known already (empty: none); then op ids, each after its minute.
 *
 * Answers epoch, time, the revision before those that were taken (or the newest one), for each name its version and document (empty: there is none; `=`: that is known
 * already), and the verdict of each op id (empty: none). Revisions are never behind the clock, so that they grow also where Redis has lost some.
 */
export const readScript = new Script(`${prelude}
local now = tonumber(ARGV[2])
if not now then
  local t = call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local m = call('HMGET', meta, 'epoch', 'rev')
local epoch, rev, count = m[1] or '', tonumber(m[2]) or 0, tonumber(ARGV[3])
if count > 0 then
  if epoch == '' then epoch = ARGV[1] end
  rev = math.max(rev, math.floor(now) * 1024)
  call('HSET', meta, 'epoch', epoch, 'rev', n(rev + count))
end
local at, docs, verdicts = 5, {}, {}
for _ = 1, tonumber(ARGV[4]) do
  local found = call('HMGET', doc .. ARGV[at], 'v', 'd')
  local v = found[1] or ''
  docs[#docs + 1] = v
  docs[#docs + 1] = (v ~= '' and v == ARGV[at + 1]) and '=' or found[2] or ''
  at = at + 2
end
for i = at, #ARGV, 2 do verdicts[#verdicts + 1] = call('HGET', ops .. ARGV[i], ARGV[i + 1]) or '' end
return {epoch, n(now), n(rev), docs, verdicts}
`);

/**
 * `ARGV`: 1 how many names follow; then for each its name, the version that was read, the next one (\`=\`: it stays; empty: it goes), the document, its life in ms and
 * whether it is in use; then verdicts, each after its minute and op id. Answers 1; 0 where anything is not as it was read, with nothing done.
 */
export const writeScript = new Script(`${prelude}
local at = 2
for _ = 1, tonumber(ARGV[1]) do
  if (call('HGET', doc .. ARGV[at], 'v') or '') ~= ARGV[at + 1] then return 0 end
  at = at + 6
end
for i = at, #ARGV, 3 do
  if call('HEXISTS', ops .. ARGV[i], ARGV[i + 1]) == 1 then return 0 end
end
for i = 2, at - 1, 6 do
  local name, next = doc .. ARGV[i], ARGV[i + 2]
  if next == '' then call('DEL', name)
  elseif next ~= '=' then
    call('HSET', name, 'v', next, 'd', ARGV[i + 3])
    call('PEXPIRE', name, ARGV[i + 4])
  end
  if next ~= '=' then
    if ARGV[i + 5] ~= '1' then call('ZREM', index, ARGV[i])
    else
      call('ZADD', index, 0, ARGV[i])
      -- Documents that nobody touches any more go by themselves: now and then some of their names are looked for.
      if math.floor(tonumber(next) / 1024) % 16 == 0 then
        for _, other in ipairs(call('ZRANDMEMBER', index, 32)) do
          if call('EXISTS', doc .. other) == 0 then call('ZREM', index, other) end
        end
      end
    end
  end
end
for i = at, #ARGV, 3 do
  call('HSET', ops .. ARGV[i], ARGV[i + 1], ARGV[i + 2])
  call('PEXPIRE', ops .. ARGV[i], ${keptVerdictsMs})
end
return 1
`);

/** `ARGV`: 1 prefix, 2 the name before the page, 3 limit. Answers names in order of their bytes; those whose document is gone leave the index. */
export const namesScript = new Script(`${prelude}
local pre, after = ARGV[1], ARGV[2]
local from = after ~= '' and '(' .. after or (pre ~= '' and '[' .. pre or '-')
-- No UTF-8 has this byte: it stands behind all that begin with the prefix.
local to = pre ~= '' and '(' .. pre .. '\\255' or '+'
local names = call('ZRANGEBYLEX', index, from, to, 'LIMIT', 0, tonumber(ARGV[3]))
for _, name in ipairs(names) do
  if call('EXISTS', doc .. name) == 0 then call('ZREM', index, name) end
end
return names
`);
