// Package dnsbl asks one question of DNS lists (RFC 5782): is this address
// listed? The answer is one [Status]; every way of not knowing is a status of
// its own, none of them means "listed".
//
//	c := dnsbl.New(dnsbl.Options{
//		Zones: []dnsbl.Zone{{Name: "list.example.org"}}, Resolvers: resolvers, Now: time.Now,
//	})
//	defer c.Close()
//	go c.Run(ctx)                 // zones are used once they have passed a check
//	q := c.Start(client)          // does not wait
//	...                           // whatever there is to do meanwhile
//	r := q.Wait(ctx)              // a zone's Timeout after Start at the latest
//	if r.Status == dnsbl.Listed { ... }
//
// DNS that is slow, dead or lying costs its users little:
//
//   - An address is asked for once, whoever wants to know; who stops waiting
//     does not end the question for the others.
//   - Answers are kept for their TTL (RFC 2308 for "not listed"), failures for
//     a few seconds, all in bounded memory. What is kept is found without an
//     allocation.
//   - There is a bound on the questions under way. Beyond it there is no
//     opinion, at once.
//   - A question has a second try, with the next server, within its time. A
//     server that failed is not the first to be asked for a while.
//   - A zone is used only while it lists the test addresses of RFC 5782,
//     section 5, and not those it must not list. That is checked at the start,
//     every hour, as soon as a question failed, and with the first listing in a
//     while: until the check has passed, nobody waits for that zone.
//   - Answers that are no listings (outside of 127.0.0.0/8, as from the new
//     owner of a domain, or in 127.255.255.0/24, as for "you ask too much") are
//     failures, whatever else came with them.
//
// It refuses to say what follows from a listing, to ask for the text of one,
// and to be a resolver: it needs recursive servers, or the zone's own.
package dnsbl
