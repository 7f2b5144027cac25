/^(.+)@example\.com$/ $1
