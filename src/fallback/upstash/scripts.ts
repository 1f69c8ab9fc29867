import { maxPageBytes } from "../../runtime/fallback-limits.ts";
import { opIdSkewMs, opIdWindowMs } from "../../runtime/limits.ts";
import { Script } from "../../upstash/script.ts";

/**
 * What every script of a stream begins with. `KEYS`: 1 the hash of all of the space's streams (`head:`, `applied:`, `count:`, `bytes:` with the shard's number; `notice`, `noticed`),
 * 2 the shard's stream, 3 the places of the op ids in it. `ARGV[1]` is the shard.
 *
 * An entry is what one append brought, at the place of its last proposal: `b` and the place that was newest before it, then op ids and bodies. So an append costs as many commands
 * with 500 proposals as with one.
 */
const prelude = `
local call, hash, stream, ops, shard = redis.call, KEYS[1], KEYS[2], KEYS[3], ARGV[1]
local function n(number) return string.format('%.0f', number) end
local function parts(place)
  local ms, seq = place:match('^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end
local function compare(a, b)
  local ams, aseq = parts(a)
  local bms, bseq = parts(b)
  if ams ~= bms then return ams - bms end
  return aseq - bseq
end
local function further(place, count)
  local ms, seq = parts(place)
  return n(ms) .. '-' .. n(seq + count)
end
local m = call('HMGET', hash, 'head:' .. shard, 'applied:' .. shard, 'count:' .. shard, 'bytes:' .. shard)
local head, applied, count, bytes = m[1], m[2], tonumber(m[3]) or 0, tonumber(m[4]) or 0
`;

/**
 * `ARGV`: 2 the time, or empty: the server's own; 3 and 4 most proposals and bytes; then op ids and bodies. Answers the places; or why there are none: `full`, `old`, `ahead`.
 */
export const appendScript = new Script(`${prelude}
local now = tonumber(ARGV[2])
if not now then
  local t = call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local opIds = {}
for i = 5, #ARGV, 2 do opIds[#opIds + 1] = ARGV[i] end
local known, seen, fresh, added = call('HMGET', ops, unpack(opIds)), {}, {}, 0
for at, opId in ipairs(opIds) do
  if not known[at] and not seen[opId] then
    local made = tonumber(opId:sub(1, 8) .. opId:sub(10, 13), 16)
    if made > now + ${opIdSkewMs} then return 'ahead' end
    if made < now - ${opIdWindowMs} then return 'old' end
    seen[opId] = true
    fresh[#fresh + 1] = at
    added = added + #ARGV[4 + 2 * at]
  end
end
if #fresh > 0 then
  if count + #fresh > tonumber(ARGV[3]) or bytes + added > tonumber(ARGV[4]) then return 'full' end
  local newest = head or '0-0'
  if applied and compare(applied, newest) > 0 then newest = applied end
  local ms = parts(newest)
  local first = ms >= now and further(newest, 1) or n(math.floor(now)) .. '-0'
  local fields, places = {'b', head or '0-0'}, {}
  for i, at in ipairs(fresh) do
    seen[opIds[at]] = further(first, i - 1)
    fields[#fields + 1], fields[#fields + 2] = opIds[at], ARGV[4 + 2 * at]
    places[#places + 1], places[#places + 2] = opIds[at], seen[opIds[at]]
  end
  head = further(first, #fresh - 1)
  call('XADD', stream, head, unpack(fields))
  call('HSET', ops, unpack(places))
  call('HSET', hash, 'head:' .. shard, head, 'count:' .. shard, n(count + #fresh), 'bytes:' .. shard, n(bytes + added))
end
local out = {}
for at, opId in ipairs(opIds) do out[at] = known[at] or seen[opId] end
return out
`);

/**
 * `ARGV`: 2 after which place, or empty; 3 most proposals. Answers head and place applied (each empty: none), whether those were all, and for each entry its place, the place before it,
 * how many proposals it has, at which of them its bodies begin here, and the bodies.
 */
export const readScript = new Script(`${prelude}
local after, limit = ARGV[2], tonumber(ARGV[3])
local from, entries, got, size, more, all = '-', {}, 0, 0, 8, false
if after ~= '' then from = further(after, 1) end
while true do
  local page = call('XRANGE', stream, from, '+', 'COUNT', more)
  for _, entry in ipairs(page) do
    local id, fields = entry[1], entry[2]
    local total = #fields / 2 - 1
    local out, skipped = {id, fields[2], n(total), '0'}, 0
    for i = 1, total do
      local body = fields[2 * i + 2]
      if after ~= '' and compare(further(id, i - total), after) <= 0 then
        skipped = i
      elseif got >= limit or got > 0 and size + #body > ${maxPageBytes} then
        got = limit
        break
      else
        got, size = got + 1, size + #body
        out[#out + 1] = body
      end
    end
    out[4] = n(skipped)
    entries[#entries + 1] = out
    from = further(id, 1)
    if #out - 4 + skipped < total then return {head or '', applied or '', '0', entries} end
  end
  if #page < more then all = true end
  if all or got >= limit then break end
  -- As many more as fit, by those that came.
  more = math.max(8, math.min(500, math.floor((${maxPageBytes} - size) / (size / #entries + 1))))
end
return {head or '', applied or '', all and '1' or '0', entries}
`);

/** `ARGV[2]`: how far the shard has applied. */
export const trimScript = new Script(`${prelude}
local upTo = ARGV[2]
if not head or compare(upTo, head) > 0 or applied and compare(upTo, applied) <= 0 then return 'OK' end
local from = '-'
while true do
  local page, gone = call('XRANGE', stream, from, upTo, 'COUNT', 20), {}
  for _, entry in ipairs(page) do
    for i = 3, #entry[2], 2 do
      gone[#gone + 1] = entry[2][i]
      bytes = bytes - #entry[2][i + 1]
    end
    from = further(entry[1], 1)
  end
  count = count - #gone
  for i = 1, #gone, 1000 do call('HDEL', ops, unpack(gone, i, math.min(i + 999, #gone))) end
  if #page < 20 then break end
end
call('XTRIM', stream, 'MINID', further(upTo, 1))
call('HSET', hash, 'applied:' .. shard, upTo, 'count:' .. shard, n(count), 'bytes:' .. shard, n(bytes))
return 'OK'
`);

/** Removes a shard's stream and all that is known of it. */
export const clearScript = new Script(`${prelude}
call('DEL', stream, ops)
call('HDEL', hash, 'head:' .. shard, 'applied:' .. shard, 'count:' .. shard, 'bytes:' .. shard)
return 'OK'
`);

/** `KEYS[1]` as above. `ARGV`: 1 when the space was made, 2 the version of its registrations, 3 the notice; none of them: it is taken back. */
export const announceScript = new Script(`
local told = redis.call('HMGET', KEYS[1], 'notice', 'noticed')
if #ARGV == 0 then
  redis.call('HSET', KEYS[1], 'notice', '', 'noticed', told[2] or '-1;-1')
  return 'OK'
end
local at, version = (told[2] or '-1;-1'):match('^(-?%d+);(-?%d+)$')
local newer = tonumber(ARGV[1]) - tonumber(at)
if newer > 0 or newer == 0 and told[1] ~= '' and tonumber(ARGV[2]) > tonumber(version) then
  redis.call('HSET', KEYS[1], 'notice', ARGV[3], 'noticed', ARGV[1] .. ';' .. ARGV[2])
end
return 'OK'
`);
