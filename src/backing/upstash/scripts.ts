import { maxUpstashReplyBytes } from "../../runtime/upstash-limits.ts";
import { envelopeMark, plainMark } from "../../upstash/envelope.ts";
import { Script } from "../../upstash/script.ts";

/** `KEYS[1]`: the space's positions, `…pos`; its values stand beside them. */
const prelude = `
local pos, call = KEYS[1], redis.call
local value = pos:sub(1, -4) .. 'v:'
local function many(list, run)
  for i = 1, #list, 1000 do run(unpack(list, i, math.min(i + 999, #list))) end
end
`;

/** `ARGV`: 1 shard. Answers its position (empty: none). A script, since that is never carried out by a replica, which may be behind. */
export const positionScript = new Script("return redis.call('HGET', KEYS[1], ARGV[1]) or ''");

/** `ARGV`: 1 shard, 2 the position that is expected (empty: none), 3 the next one. Answers whether it is the present one now. */
export const bindScript = new Script(`
local found = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if found ~= ARGV[3] then
  if found ~= ARGV[2] then return 0 end
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
return 1
`);

/**
 * A batch, all of it or nothing. `ARGV`: 1 shard, 2 the position that it stands on, 3 the one it leads to, 4 how many values follow, 5 how many of those with an end;
 * then keys and forms, keys and forms and ends, keys to delete. Answers `applied`, `repeated`, or `=` and the position that was found (empty: none).
 */
export const applyScript = new Script(`${prelude}
local found = call('HGET', pos, ARGV[1]) or ''
if found ~= ARGV[2] then return found == ARGV[3] and 'repeated' or '=' .. found end
local at, sets, dels = 6, {}, {}
for _ = 1, tonumber(ARGV[4]) do
  sets[#sets + 1], sets[#sets + 2] = value .. ARGV[at], ARGV[at + 1]
  at = at + 2
end
many(sets, function(...) call('MSET', ...) end)
for _ = 1, tonumber(ARGV[5]) do
  call('SET', value .. ARGV[at], ARGV[at + 1], 'PXAT', ARGV[at + 2])
  at = at + 3
end
for i = at, #ARGV do dels[#dels + 1] = value .. ARGV[i] end
many(dels, function(...) call('DEL', ...) end)
call('HSET', pos, ARGV[1], ARGV[3])
return 'applied'
`);

/**
 * `ARGV`: keys. Answers the forms of as many of them as fit, in order (empty: absent), each with the rest of its life in ms where others wrote it and gave it one
 * (else empty). What is no string is absent.
 */
export const readScript = new Script(`${prelude}
local out, bytes = {}, 0
for i = 1, #ARGV, 20 do
  local names = {}
  for at = i, math.min(i + 19, #ARGV) do names[#names + 1] = value .. ARGV[at] end
  for at, text in ipairs(call('MGET', unpack(names))) do
    if bytes > ${maxUpstashReplyBytes} then return out end
    local form, left = text or '', ''
    if text and text:sub(1, ${envelopeMark.length}) ~= '${envelopeMark}' then
      form = '${plainMark}0;0;=' .. text
      local ms = call('PTTL', names[at])
      if ms > 0 then left = string.format('%.0f', ms) end
    end
    out[#out + 1], out[#out + 2] = form, left
    bytes = bytes + #form
  end
  if bytes > ${maxUpstashReplyBytes} then return out end
end
return out
`);

/** How often one call asks Redis for more names, where most of them are not the space's. */
const scanRounds = 20;

/** `ARGV`: 1 Redis's cursor, 2 how many names are wanted. Answers the next cursor (`0`: it has been all round) and names. */
export const scanScript = new Script(`${prelude}
local cursor, wanted, names = ARGV[1], tonumber(ARGV[2]), {}
for _ = 1, ${scanRounds} do
  local page = call('SCAN', cursor, 'MATCH', value .. '*', 'COUNT', math.max(wanted, 100))
  cursor = page[1]
  for _, name in ipairs(page[2]) do names[#names + 1] = name:sub(#value + 1) end
  if cursor == '0' or #names >= wanted then break end
end
return {cursor, names}
`);

/** `ARGV`: 1 Redis's cursor. Removes the values that it comes past; answers the next cursor and how many they were. */
export const clearScript = new Script(`${prelude}
local cursor, count = ARGV[1], 0
for _ = 1, 5 do
  local page = call('SCAN', cursor, 'MATCH', value .. '*', 'COUNT', 200)
  cursor, count = page[1], count + #page[2]
  many(page[2], function(...) call('UNLINK', ...) end)
  if cursor == '0' then break end
end
return {cursor, count}
`);
