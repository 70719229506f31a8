-- A JSON body of 1 KB.
local items = {}
for i = 1, 14 do
  items[i] = string.format('{"id":%d,"name":"item number %d","price":%d.5,"tags":["a","b"],"ok":true}', i, i, i)
end
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.body = '{"kind":"order","items":[' .. table.concat(items, ",") .. ']}'
