import { keptVerdictsMs } from "../../../runtime/upstash-limits.ts";
import { spaceScript } from "./prelude.ts";

/** Verdicts by the minute of their op ids, so that what is too old goes by itself. */
const verdicts = `
local function bucket(opId)
  return prefix .. 'ops:' .. n(math.floor(tonumber(opId:sub(1, 8) .. opId:sub(10, 13), 16) / 60000))
end
local function recall(opIds)
  local asked, known = {}, {}
  for _, opId in ipairs(opIds) do
    local b = bucket(opId)
    asked[b] = asked[b] or {}
    table.insert(asked[b], opId)
  end
  for b, ids in pairs(asked) do
    for i = 1, #ids, 1000 do
      local to = math.min(i + 999, #ids)
      for at, record in ipairs(call('HMGET', b, unpack(ids, i, to))) do known[ids[i + at - 1]] = record end
    end
  end
  return known
end
local fresh = {}
local function keep(opId, record)
  local b = bucket(opId)
  fresh[b] = fresh[b] or {}
  table.insert(fresh[b], opId)
  table.insert(fresh[b], record)
end
local function keepAll()
  for b, list in pairs(fresh) do
    many('HSET', b, list)
    call('PEXPIRE', b, ${keptVerdictsMs})
  end
end
`;

/**
 * A batch, all of it or nothing. `ARGV`: 7 the version of the registrations by which keys were found to be covered; then for each mutation its kind (`s` set, `d`
 * delete, `i` `p` `t` invalidations), subject, op id, print, body, life, condition, and `0` where a strict space does not cover it.
 *
 * Answers for each `N` or `R` (again) with its verdict: `o;version;revision;existed`, `p;version` (the precondition), `n` (not registered), `s` (sealed);
 * or `U`: the op id was another operation's.
 */
export const batchScript = spaceScript(`${verdicts}
expire()
if strict == '1' and ARGV[7] ~= n(regs) then return {finish(), 'stale'} end

local opIds, keys, seen = {}, {}, {}
for i = 8, #ARGV, 8 do
  opIds[#opIds + 1] = ARGV[i + 2]
  local kind, key = ARGV[i], ARGV[i + 1]
  if (kind == 's' or kind == 'd' or kind == 'i') and not seen[key] then
    seen[key] = true
    keys[#keys + 1] = key
  end
end
local known = recall(opIds)

local version, existed, mortal, foreign = {}, {}, {}, {}
for i = 1, #keys, 20 do
  local to = math.min(i + 19, #keys)
  for at, text in ipairs(call('MGET', unpack(named(keys, i, to)))) do
    local key = keys[i + at - 1]
    local v, _, _, head = look(key, text)
    version[key], existed[key] = v, v ~= nil
    -- What others had there and have removed is known still: were it to come again, it would be of its version from before.
    foreign[key] = head ~= nil or not text and theirs
    mortal[key] = text and text:match('^warp1;%x+;%d+;%d+;%d+;') ~= nil
  end
end

local function holds(when, tag)
  local kind = when:sub(1, 1)
  if kind == '' then return true end
  if kind == 'e' then return tag ~= nil end
  if kind == 'a' then return tag == nil end
  local listed = tag ~= nil and when:find(',' .. tag .. ',', 1, true) ~= nil
  return listed == (kind == 'i')
end

local final, ends = {}, {}
local function judge(kind, key, body, life, when, covered)
  if kind == 'p' or kind == 't' then return 'o;0;' .. n(append(kind, key)) .. ';0' end
  if strict == '1' and covered == '0' then return 'n' end
  local v = version[key]
  if kind == 'i' then return 'o;' .. n(v or 0) .. ';' .. n(append('i', key)) .. ';' .. (v and 1 or 0) end
  if not holds(when, v and epoch .. '.' .. n(v)) then return 'p;' .. n(v or 0) end
  if kind == 'd' then
    if not v then return 'o;0;0;0' end
    version[key], final[key], ends[key] = nil, false, nil
    return 'o;0;' .. n(append('d', key)) .. ';1'
  end
  local revision = append('s', key)
  ends[key] = life ~= '' and math.floor(time()) + tonumber(life) or nil
  local tail = ends[key] and n(ends[key]) or ''
  version[key] = revision
  final[key] = 'warp1;' .. epoch .. ';' .. n(revision) .. ';' .. n(math.floor(time())) .. ';' .. tail .. ';' .. body
  return 'o;' .. n(revision) .. ';' .. n(revision) .. ';' .. (v and 1 or 0)
end

local answers = {}
for i = 8, #ARGV, 8 do
  local kind, key, opId, print, body, life, when, covered = unpack(ARGV, i, i + 7)
  local record = known[opId]
  if record then
    local p, verdict = record:match('^(%w+);(.*)$')
    answers[#answers + 1] = (p == print or p == 'sealed') and 'R' .. verdict or 'U'
  else
    local verdict = judge(kind, key, body, life, when, covered)
    known[opId] = print .. ';' .. verdict
    keep(opId, known[opId])
    answers[#answers + 1] = 'N' .. verdict
  end
end

local sets, dels, added, removed, immortal, unplain = {}, {}, {}, {}, {}, {}
for _, key in ipairs(keys) do
  local text = final[key]
  if text then
    sets[#sets + 1], sets[#sets + 2] = value .. key, text
    if not existed[key] then added[#added + 1], added[#added + 2] = 0, key end
  elseif text == false and existed[key] then
    dels[#dels + 1], removed[#removed + 1] = value .. key, key
  end
  if text ~= nil then
    if ends[key] then endsAt(key, ends[key]) elseif mortal[key] then immortal[#immortal + 1] = key end
    if foreign[key] then unplain[#unplain + 1] = key end
  end
end
for i = 1, #sets, 1000 do call('MSET', unpack(sets, i, math.min(i + 999, #sets))) end
if #dels > 0 then call('DEL', unpack(dels)) end
many('ZREM', index, removed)
many('ZADD', index, added)
many('ZREM', dues, immortal)
many('HDEL', plain, unplain)
keepAll()
return {finish(), answers}
`);

/** `ARGV`: 7 `1`: what is not known is sealed; then op ids. Answers what is known of each (empty: nothing), as it was before. */
export const resolveScript = spaceScript(`${verdicts}
local opIds = {}
for i = 8, #ARGV do opIds[#opIds + 1] = ARGV[i] end
local known, out = recall(opIds), {}
for _, opId in ipairs(opIds) do
  out[#out + 1] = known[opId] or ''
  if ARGV[7] == '1' and not known[opId] then
    known[opId] = 'sealed;s'
    keep(opId, known[opId])
  end
end
keepAll()
return {finish(), out}
`);
