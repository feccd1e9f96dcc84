-- 1024 subscribers: S-tags 16 to 31 and 144 to 159 (the other access port), 32 C-tags in each.
local users = {}

for n = 0, 1023 do
  users[#users + 1] = {
    gre_id = n,
    svlan_id = 16 + mask(n, 0x1e0) // 2^5 + mask(n, 0x200) / 4,
    cvlan_id = 2 * mask(n, 0x1f) + 1,
    user_id = n,
  }
end

return users
