-- Whether one number of eight bytes, the greatest first, is below another. Lua's own `<` compares texts by the server's
-- locale, which need not follow the bytes.
local function is_below(one, other)
  for at = 1, 8 do
    local left, right = string.byte(one, at), string.byte(other, at)
    if left ~= right then return left < right end
  end
  return false
end
