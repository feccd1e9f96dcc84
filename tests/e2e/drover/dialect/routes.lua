-- Eight hops, each second one behind the other output; hop i serves 100.64+i.0.0/16.
local hops, routes = {}, {}

for i = 0, 7 do
  hops[i + 1] = {
    id = i,
    port_id = i % 2,
    ip = ip(3221226240 + i), -- 192.0.3.0
    mac = mac(string.format("02:00:00:00:03:%02x", i)),
    mpls = 0x100 + i,
  }
  routes[i + 1] = {cidr = cidr("100." .. 64 + i .. ".0.0/16"), next_hop_id = i}
end

return {next_hops = hops, routes = routes}
