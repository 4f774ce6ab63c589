-- Stores views, each from the version it was folded from, then checkpoints. One call is one moment.
--
-- KEYS: meta, forgotten. Other keys are made of the prefix: this runs on one server, not on a cluster.
-- ARGV: prefix, origin, then counted lists: forgotten people; writes; checkpoints. Numbers are eight bytes, the greatest
-- first; `is_below` of below.lua, which stands before this, compares them.
-- Answers one digit a write: 0 stored, 1 other version, 2 forgotten, 3 other generation.

local meta, forgotten = KEYS[1], KEYS[2]
local prefix, origin = ARGV[1], ARGV[2]
local at = 2
local function take()
  at = at + 1
  return ARGV[at]
end

local ZERO = '\0\0\0\0\0\0\0\0'
local standing = {}
local function stands(projection, generation)
  local key = projection .. '/' .. generation
  local known = standing[key]
  if known == nil then
    known = 'none'
    for _, kind in ipairs({'live', 'building'}) do
      local built = redis.call('HGET', meta, kind .. '/' .. projection)
      if built then
        local a, b, c, d = string.byte(built, 1, 4)
        if string.format('%d', ((a * 256 + b) * 256 + c) * 256 + d) == generation then
          known = kind
          break
        end
      end
    end
    standing[key] = known
  end
  return known
end

-- Everything is read before anything is written, so that a batch that must wait has written nothing.
local people = {}
for _ = 1, tonumber(take()) do
  people[#people + 1] = take()
end
local writes = {}
for _ = 1, tonumber(take()) do
  local write = {
    projection = take(), generation = take(), stream = take(), subject = take(),
    from = take(), row = take(), entries = {}, lookups = {},
  }
  for _ = 1, tonumber(take()) do
    write.entries[#write.entries + 1] = {name = take(), has = take(), value = take()}
  end
  for _ = 1, tonumber(take()) do
    write.lookups[#write.lookups + 1] = {partition = take(), key = take(), has = take(), value = take()}
  end
  writes[#writes + 1] = write
end
local raises = {}
for _ = 1, tonumber(take()) do
  raises[#raises + 1] = {projection = take(), generation = take(), to = take(), known = take()}
end

local function refuse_behind_fence(list)
  for _, one in ipairs(list) do
    if stands(one.projection, one.generation) == 'live'
      and redis.call('EXISTS', prefix .. 'fence:' .. one.projection) == 1 then
      return true
    end
  end
  return false
end
if refuse_behind_fence(writes) or refuse_behind_fence(raises) then
  return redis.error_reply('FENCED a rebuild is switching')
end

for _, subject in ipairs(people) do
  redis.call('SADD', forgotten, subject)
end

local function outcome(write, key)
  if stands(write.projection, write.generation) == 'none' then return '3' end
  local stored = redis.call('HGET', key, '')
  if (stored and string.sub(stored, 1, 8) or ZERO) ~= write.from then return '1' end
  if string.byte(write.row, 17) == 1 then return '0' end
  if stored and string.byte(stored, 17) == 1 then return '2' end
  if write.subject ~= '' and redis.call('SISMEMBER', forgotten, write.subject) == 1 then return '2' end
  return '0'
end

local function store(write, key)
  if string.byte(write.row, 17) == 1 then redis.call('DEL', key) end
  redis.call('HSET', key, '', write.row)
  for _, entry in ipairs(write.entries) do
    if entry.has == '1' then
      redis.call('HSET', key, entry.name, entry.value)
    else
      redis.call('HDEL', key, entry.name)
    end
  end
  for _, lookup in ipairs(write.lookups) do
    local set = prefix .. 'lookup:' .. write.generation .. ':' .. lookup.partition
    redis.call('ZREMRANGEBYLEX', set, '[' .. lookup.key .. '\0', '(' .. lookup.key .. '\1')
    if lookup.has == '1' then redis.call('ZADD', set, 0, lookup.key .. '\0' .. lookup.value) end
  end
end

local outcomes, news, has_gap = {}, {origin}, false
for _, write in ipairs(writes) do
  local key = prefix .. 'view:' .. write.generation .. ':' .. write.stream
  local became = outcome(write, key)
  if became == '0' then
    store(write, key)
    news[#news + 1] = write.projection .. ' ' .. write.stream .. ' ' .. string.sub(write.row, 1, 16)
  elseif became ~= '2' then
    has_gap = true
  end
  outcomes[#outcomes + 1] = became
end

if not has_gap then
  for _, raise in ipairs(raises) do
    local field = 'checkpoint/' .. raise.generation
    local stored = redis.call('HGET', meta, field) or ZERO
    local is_known = not is_below(stored, raise.known) and is_below(stored, raise.to)
    if is_known and stands(raise.projection, raise.generation) ~= 'none' then
      redis.call('HSET', meta, field, raise.to)
      news[#news + 1] = raise.projection .. '  ' .. ZERO .. raise.to
    end
  end
end

-- What is stored is stored, even where the channel is forbidden; waiters ask as well.
if #news > 1 then redis.pcall('PUBLISH', prefix .. 'changes', table.concat(news)) end
return table.concat(outcomes)
