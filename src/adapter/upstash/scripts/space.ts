import { spaceScript } from "./prelude.ts";

/** Answers when the space came into being, and whether it is strict. */
export const spaceFactsScript = spaceScript(`
return {finish(), call('HGET', meta, 'created'), strict}
`);

/** Answers patterns and `version;settings` in turn. */
export const registrationsScript = spaceScript(`
return {finish(), call('HGETALL', prefix .. 'regs')}
`);

/** `ARGV`: 7 pattern, 8 the version that it is believed to have (0: none), 9 its settings, or empty: none. Answers its new version, or 0: it has moved. */
export const registerScript = spaceScript(`
expire()
local name = prefix .. 'regs'
local present = (call('HGET', name, ARGV[7]) or ''):match('^%d+') or '0'
if present ~= ARGV[8] then return {finish(), '0'} end
regs = append('r', ARGV[7])
if ARGV[9] == '' then call('HDEL', name, ARGV[7]) else call('HSET', name, ARGV[7], n(regs) .. ';' .. ARGV[9]) end
return {finish(), n(regs)}
`);
