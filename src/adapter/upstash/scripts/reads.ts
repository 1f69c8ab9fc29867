import { maxListBytes } from "../../../runtime/limits.ts";
import { maxUpstashReplyBytes } from "../../../runtime/upstash-limits.ts";
import { spaceScript } from "./prelude.ts";

/** `ARGV` from 7 on: keys. Answers the forms of as many of them as fit, in order; empty: absent. */
export const readScript = spaceScript(`
expire()
local out, bytes = {}, 0
for i = 7, #ARGV, 20 do
  local to = math.min(i + 19, #ARGV)
  for at, text in ipairs(call('MGET', unpack(named(ARGV, i, to)))) do
    if bytes > ${maxUpstashReplyBytes} then break end
    local version, _, form, head = look(ARGV[i + at - 1], text)
    out[#out + 1] = version and (tell(form, head, true)) or ''
    bytes = bytes + #out[#out]
  end
  if bytes > ${maxUpstashReplyBytes} then break end
end
return {finish(), out}
`);

/**
 * `ARGV`: 7 prefix, 8 the key before the page, 9 limit, 10 `1`: with values. Answers keys and forms in turn, whether there are more, and where to go on
 * if not behind the last of them: what is gone is let go in pieces, since nobody else is served meanwhile.
 */
export const listScript = spaceScript(`
expire()
local pre, after, limit, values = ARGV[7], ARGV[8], tonumber(ARGV[9]), ARGV[10] == '1'
local from = after ~= '' and '(' .. after or (pre ~= '' and '[' .. pre or '-')
-- No UTF-8 has this byte: it stands behind all that begin with the prefix.
local to = pre ~= '' and '(' .. pre .. '\\255' or '+'
local out, count, size, more, at, rounds = {}, 0, 0, '0', '', 0
while more == '0' do
  local keys = call('ZRANGEBYLEX', index, from, to, 'LIMIT', 0, 50)
  if #keys == 0 then break end
  local texts = call('MGET', unpack(named(keys, 1, #keys)))
  for i, key in ipairs(keys) do
    local version, _, form, head = look(key, texts[i])
    if version then
      local told, bytes = tell(form, head, values)
      if count == limit or (values and count > 0 and size + bytes > ${maxListBytes}) then
        more = '1'
        break
      end
      out[#out + 1], out[#out + 2] = key, told
      count, size = count + 1, size + bytes
    elseif not texts[i] then
      -- Someone else has removed it.
      call('ZREM', index, key)
      call('ZREM', dues, key)
      if theirs then call('HDEL', plain, key) end
      append('d', key)
    end
  end
  if #keys < 50 then break end
  from, rounds = '(' .. keys[#keys], rounds + 1
  if rounds == 100 and more == '0' then more, at = '1', keys[#keys] end
end
return {finish(), out, more, at}
`);

/** `ARGV`: 7 epoch, 8 revision, 9 limit. Answers `ok` and the entries after it, or why it can't. */
export const changesScript = spaceScript(`
expire()
local stamp, since = finish(), tonumber(ARGV[8])
if ARGV[7] ~= epoch or since > rev then return {stamp, 'epoch'} end
if since < floor then return {stamp, 'compacted'} end
return {stamp, 'ok', call('ZRANGEBYSCORE', log, '(' .. ARGV[8], '+inf', 'LIMIT', 0, tonumber(ARGV[9]))}
`);
