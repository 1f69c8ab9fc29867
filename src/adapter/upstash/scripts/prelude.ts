import { envelopeMark, plainMark } from "../../../upstash/envelope.ts";
import { Script } from "../../../upstash/script.ts";

/**
 * What every script begins with. `KEYS[1]` is the space's `meta`; beside it lie `v:{key}` (the values), `keys` (all keys, in order of their bytes),
 * `due` (ends of lives), `log`, `regs`, `plain` (what is known of values that others wrote) and `ops:{minute}` (verdicts).
 *
 * `ARGV`: 1 a new epoch, should one be needed; 2 the time, or empty: the server's own; 3 and 4 the epoch and revision that the caller has seen; 5
 * whether a new space is strict; 6 log entries to keep.
 */
const prelude = `
local call, meta = redis.call, KEYS[1]
local prefix = meta:sub(1, -5)
local value, index, dues, log, plain = prefix .. 'v:', prefix .. 'keys', prefix .. 'due', prefix .. 'log', prefix .. 'plain'
local function n(number) return string.format('%.0f', number) end

local now = tonumber(ARGV[2])
local function time()
  if not now then
    local t = call('TIME')
    now = t[1] * 1000 + math.floor(t[2] / 1000)
  end
  return now
end

local m = call('HMGET', meta, 'epoch', 'rev', 'regs', 'due', 'floor', 'id', 'strict', 'plain')
local epoch, rev, regs, due = m[1], tonumber(m[2]) or 0, tonumber(m[3]) or 0, tonumber(m[4])
local floor, id, strict = tonumber(m[5]) or 0, m[6], m[7]
-- Whether values of others are known: most spaces have nothing of others, and are to pay nothing for it.
local theirs = m[8] == '1'
local changed = false
if not epoch then
  epoch, id, strict, changed = ARGV[1], ARGV[1], ARGV[5], true
  theirs = false
  call('DEL', log, plain)
  call('HSET', meta, 'id', id, 'strict', strict, 'created', n(time()))
  due = tonumber(call('ZRANGE', dues, 0, 0, 'WITHSCORES')[2])
elseif epoch == ARGV[3] and tonumber(ARGV[4]) > rev then
  -- The storage has lost what it had acknowledged: nothing known of its log counts, no revision that the caller has seen is given again, and what is
  -- known of the registrations is read anew.
  epoch, rev, changed = ARGV[1], tonumber(ARGV[4]) + 1, true
  floor, regs = rev, rev
  theirs = false
  call('DEL', log, plain)
end

local entries = {}
local function append(kind, key)
  rev = rev + 1
  entries[#entries + 1] = n(rev)
  entries[#entries + 1] = n(rev) .. kind .. key
  return rev
end

local function many(command, key, list)
  for i = 1, #list, 1000 do call(command, key, unpack(list, i, math.min(i + 999, #list))) end
end

local function named(keys, from, to)
  local names = {}
  for i = from, to do names[#names + 1] = value .. keys[i] end
  return names
end

local function endsAt(key, ends)
  call('ZADD', dues, n(ends), key)
  if not due or ends < due then due, changed = ends, true end
end

-- What is due is gone, and the log says so. What others have put in its place stays.
local function expire()
  if not due or due > time() then return end
  for _ = 1, 200 do
    local gone = call('ZRANGEBYSCORE', dues, '-inf', n(now), 'LIMIT', 0, 50)
    if #gone == 0 then break end
    local texts, mine = call('MGET', unpack(named(gone, 1, #gone))), {}
    for i, key in ipairs(gone) do
      local ends = texts[i] and texts[i]:match('^${envelopeMark}%x+;%d+;%d+;(%d+);')
      if ends and tonumber(ends) <= now then
        mine[#mine + 1] = key
        append('e', key)
      end
    end
    if #mine > 0 then
      call('DEL', unpack(named(mine, 1, #mine)))
      call('ZREM', index, unpack(mine))
    end
    call('ZREM', dues, unpack(gone))
  end
  due, changed = tonumber(call('ZRANGE', dues, 0, 0, 'WITHSCORES')[2]), true
end

-- The version, end and form of what is stored under a key; nothing: it is absent. What others wrote gets a version of its own when it is first seen.
local function look(key, text)
  if not text then return end
  local e, v, x = text:match('^${envelopeMark}(%x+);(%d+);%d+;(%d*);')
  if e then
    local ends = tonumber(x)
    if ends and ends <= time() then return end
    if e == epoch then return tonumber(v), ends, text end
    local version = append('s', key)
    text = '${envelopeMark}' .. epoch .. ';' .. n(version) .. text:sub(${envelopeMark.length} + #e + #v + 2)
    call('SET', value .. key, text)
    call('ZADD', index, 0, key)
    if ends then endsAt(key, ends) end
    return version, ends, text
  end
  local hash, known = redis.sha1hex(text), call('HGET', plain, key)
  local v, t, h = (known or ''):match('^(%d+);(%d+);(%x+)$')
  if h ~= hash then
    v, t, theirs = n(append('s', key)), n(time()), true
    call('HSET', plain, key, v .. ';' .. t .. ';' .. hash)
    call('ZADD', index, 0, key)
  end
  return tonumber(v), nil, text, '${plainMark}' .. v .. ';' .. t .. ';'
end

-- What is told of a value: its form, or its form with '#' and its size for the value. Gives its size, too.
local function tell(text, head, withValue)
  if head then
    if not withValue then return head .. '#' .. #text, #text end
    return head .. '=' .. text, #text
  end
  local from = text:match('^${envelopeMark}%x+;%d+;%d+;%d*;[^;]*;[^;]*;()') or 1
  local size = math.floor((#text - from + 1) * 3 / 4) - #text:sub(-2):match('=*$')
  if withValue then return text, size end
  return text:sub(1, from - 1) .. '#' .. n(size), size
end

-- Writes what is left to write. What it gives is what every answer says first.
local function finish()
  if #entries > 0 then
    many('ZADD', log, entries)
    local most = tonumber(ARGV[6])
    if rev - floor > most + most / 8 + 16 then
      floor = rev - most
      call('ZREMRANGEBYSCORE', log, '-inf', n(floor))
    end
  end
  if changed or #entries > 0 then
    call('HSET', meta, 'epoch', epoch, 'rev', n(rev), 'regs', n(regs), 'due', due and n(due) or '', 'floor', n(floor), 'plain', theirs and '1' or '')
  end
  return epoch .. ';' .. n(rev) .. ';' .. n(regs) .. ';' .. id .. ';' .. (now and n(now) or '')
end
`;

/** Where the arguments of a script's own begin. */
export const firstArgument = 7;

/** A script with the prelude before it. */
export function spaceScript(body: string): Script {
  return new Script(`${prelude}\n${body}`);
}
