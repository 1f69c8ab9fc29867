import { keptVerdictsMs, maxWatchPageBytes, upstashEntriesAtOnce } from "../../runtime/upstash-limits.ts";
import { Script } from "../../upstash/script.ts";

/**
 * What every script that writes begins with. `KEYS[1]` is the stream; beside it lie `:ops:{minute}`, the verdicts of what is kept. `ARGV`: 1 a new epoch, should one be needed; 2 and 3 the epoch
 * and revision that the caller has seen; 4 entries to keep; 5 the id of a mark. An entry's fields are `e` (epoch), `i` (id) and `d` (content), in this order.
 */
const prelude = `
local call, key = redis.call, KEYS[1]
local function n(number) return string.format('%.0f', number) end
local last = call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
local epoch, rev, seq
if last then
  local r, s = last[1]:match('^(%d+)-(%d+)$')
  rev, seq = tonumber(r), tonumber(s)
  if last[2][1] == 'e' then epoch = last[2][2] end
end
local function add(id, text)
  local place = n(rev) .. '-' .. n(seq)
  call('XADD', key, place, 'e', epoch, 'i', id, 'd', text)
  last = {place, {'e', epoch, 'i', id}}
end
-- A stream that is new, that others wrote, or that has lost what the caller has seen of it: another life, and no revision is given twice that anybody here knows of.
if not epoch or epoch == ARGV[2] and rev < tonumber(ARGV[3]) then
  epoch, rev, seq = ARGV[1], math.max(rev or 0, tonumber(ARGV[3])) + 1, 0
  add(ARGV[5], '[]')
end
`;

/** Gives the newest entry: its place, epoch and id. */
export const headScript = new Script(`${prelude}
return {last[1], epoch, last[2][4]}
`);

/** The same without a mark; empty: there is nothing. */
export const lookScript = new Script(`
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
return last and {last[1], last[2][2], last[2][4]} or {}
`);

/**
 * `ARGV` from 6 on, for each entry: `k` where it is kept, `p` where it is told and not kept; the minute and the op id of what is kept, else empty; its print; id; content. Answers the head as above, and for each
 * `N` or `R` (again) with its revision, or `U`: the op id was another's.
 */
export const appendScript = new Script(`${prelude}
local answers = {}
for i = 6, #ARGV, 6 do
  local kind, minute, opId, print, id, text = unpack(ARGV, i, i + 5)
  if kind == 'p' then
    seq = seq + 1
    add(id, text)
    answers[#answers + 1] = 'N' .. n(rev)
  else
    local ops = key .. ':ops:' .. minute
    local p, r = (call('HGET', ops, opId) or ''):match('^(%w+);(%d+)$')
    if p then
      answers[#answers + 1] = p == print and 'R' .. r or 'U'
    else
      rev, seq = rev + 1, 0
      add(id, text)
      call('HSET', ops, opId, print .. ';' .. n(rev))
      call('PEXPIRE', ops, ${keptVerdictsMs})
      answers[#answers + 1] = 'N' .. n(rev)
    end
  end
end
call('XTRIM', key, 'MAXLEN', '~', ARGV[4])
return {{last[1], epoch, last[2][4]}, answers}
`);

/** `ARGV`: 1 where to begin. Gives entries, some at a time. */
export const readScript = new Script(`
local out, bytes, from = {}, 0, ARGV[1]
repeat
  local page = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', 25)
  for _, entry in ipairs(page) do
    out[#out + 1] = entry
    for _, text in ipairs(entry[2]) do bytes = bytes + #text end
    if bytes > ${maxWatchPageBytes} and #out > 1 then return out end
  end
  if #page > 0 then from = '(' .. page[#page][1] end
until #page < 25 or #out >= ${upstashEntriesAtOnce}
return out
`);
