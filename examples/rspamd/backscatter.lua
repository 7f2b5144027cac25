-- Scores what backscatter-milter has found out.
--
-- Put this file into /etc/rspamd/rspamd.local.lua (or have that file load it:
-- dofile("/etc/rspamd/backscatter.lua")), run "rspamadm configtest", and restart
-- rspamd. Scores can be changed in local.d/groups.conf. rspamd has to see mail after
-- the milter: in Postfix's smtpd_milters it stands behind it, which it may, since it
-- never refuses single recipients. It is tested with rspamd 3.4.
--
-- The field can be believed: backscatter-milter removes the fields of that name
-- that mail from outside brings (the first 2,000), and puts its own on top; only the
-- topmost is looked at. What your own clients (trusted_networks, authenticated
-- users) send is not looked at, nor is mail that the MTA lets pass while the milter
-- is away; both keep what they brought. So what speaks for a message takes little
-- off.

-- Only "mark" adds and only "accept" takes off: where [policy] accepts what a
-- reason applies to, that is what is wanted; what was held ("quarantine") somebody
-- releases.
local symbols = {
  {
    -- Marked where the milter may not refuse it: in monitor mode, or while its
    -- record is young.
    name = 'BACKSCATTER_FOREIGN',
    score = 4.0,
    description = 'Notification about mail that this site did not send',
    action = 'mark',
    reasons = { 'origin-foreign', 'tag-forged', 'never-sends' },
  },
  {
    name = 'BACKSCATTER_LISTED',
    score = 3.0,
    description = 'Notification of unknown origin from a host that sends backscatter',
    action = 'mark',
    reasons = { 'listed' },
  },
  {
    name = 'BACKSCATTER_NOTICE',
    score = 3.0,
    description = 'Challenge or virus notice about mail of unknown origin',
    action = 'mark',
    reasons = { 'challenge', 'virus-notice' },
  },
  {
    name = 'BACKSCATTER_UNTAGGED',
    score = 2.0,
    description = 'Bounce without a valid tag',
    action = 'mark',
    reasons = { 'tag-missing', 'flood' },
  },
  {
    -- Common in genuine ones, too.
    name = 'BACKSCATTER_UNPROVEN',
    score = 0.5,
    description = 'Auto-reply or other notification of unknown origin',
    action = 'mark',
    reasons = { 'auto-reply', 'unproven' },
  },
  {
    -- What a bounce quotes may look like spam, and yet be wanted.
    name = 'BACKSCATTER_PROVEN',
    score = -2.0,
    description = 'Notification about mail that this site sent',
    action = 'accept',
    reasons = { 'tag-valid', 'origin-proven' },
  },
}

-- verdict gives action and reason of the topmost field, nil where there is none.
local function verdict(task)
  local fields = task:get_header_full('X-Backscatter')
  if not fields or not fields[1] then
    return nil
  end
  return string.match(fields[1].value, '^(%l+); reason=([%l-]+);')
end

for _, symbol in ipairs(symbols) do
  local of = {}
  for _, reason in ipairs(symbol.reasons) do
    of[reason] = true
  end
  rspamd_config:register_symbol({
    name = symbol.name,
    score = symbol.score,
    description = symbol.description,
    group = 'backscatter',
    callback = function(task)
      local action, reason = verdict(task)
      if action == symbol.action and of[reason] then
        return true, 1.0, reason
      end
      return false
    end,
  })
end
