package flood

import (
	"net/netip"
	"time"
)

// Block is a block that runs.
type Block struct {
	Kind  Kind
	Name  string        // "client 192.0.2.0/24"; see [Hot]
	Count int           // events that brought it about
	Left  time.Duration // until it ends
}

// Blocked reports whether the client's network or the recipient is blocked. It
// is asked for recipients without valid tag, before anything else is done.
func (f *Flood) Blocked(client netip.Addr, recipient string) (Block, bool) {
	if f.watch[ByClient].book.blocked.Load() > 0 {
		c := f.clientKey(client)
		if b, blocked := f.blockOf(&c); blocked {
			return b, true
		}
	}
	if f.watch[ByRecipient].book.blocked.Load() == 0 {
		return Block{}, false
	}
	r := f.textKey(ByRecipient, recipient)
	return f.blockOf(&r)
}

// BlockedSubject reports whether notifications with this subject are blocked
// for the client's network.
func (f *Flood) BlockedSubject(client netip.Addr, s Subject) (Block, bool) {
	if f.watch[BySubject].book.blocked.Load() == 0 {
		return Block{}, false
	}
	k := f.subjectKey(client, &s)
	return f.blockOf(&k)
}

func (f *Flood) blockOf(k *key) (Block, bool) {
	b := &f.watch[k.kind].book
	s := b.shard(k.sum)
	s.mu.RLock()
	defer s.mu.RUnlock()
	r := s.m[k.sum]
	if r == nil || !r.blocked {
		return Block{}, false
	}
	now := f.clock.now()
	if !r.runs(now) {
		return Block{}, false
	}
	return Block{Kind: k.kind, Name: r.name, Count: r.count, Left: time.Duration(r.until - now)}, true
}

// refused reports whether the key is blocked, and counts what the block
// refuses.
func (f *Flood) refused(k *key, now int64) bool {
	b := &f.watch[k.kind].book
	if k.sum == 0 || b.blocked.Load() == 0 {
		return false
	}
	s := b.shard(k.sum)
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.m[k.sum]
	if r == nil || !r.runs(now) {
		return false
	}
	r.refused++
	return true
}

// note writes down that a key is hot, and begins a surge or a block where it is
// time for one.
func (w *watch) note(k *key, n, recent int, l *limits, now int64) {
	limit := &l.of[k.kind]
	blocks := limit.block > 0 && n > limit.block
	surges := limit.surge > 0 && recent >= limit.surge
	var told changes
	s := w.book.shard(k.sum)
	s.mu.Lock()
	r := w.book.open(s, k, max(n, recent), blocks || surges, now)
	if r != nil && !r.runs(now) {
		r.count = max(n, recent)
		switch {
		case blocks:
			w.block(r, l, now, &told)
		case surges && !r.surging:
			w.book.setSurging(r, true)
			told.add(w.change(SurgeBegan, r, now))
		}
	}
	s.mu.Unlock()
	told.report(w.flood)
}

// block begins a block, and with it the surge ends. With the shard's lock held.
func (w *watch) block(r *record, l *limits, now int64, told *changes) {
	w.settle(r, l, now, told)
	if now-r.until > l.maxBlock {
		r.blocks = 0
	}
	r.until = now + l.length(r.blocks)
	r.blocks++
	r.refused = 0
	w.forget(r.sum, &l.of[w.kind], now)
	w.book.setSurging(r, false)
	w.book.setBlocked(r, true)
	told.add(w.change(BlockBegan, r, now))
	w.flood.outbox.block(r, w.kind, now)
}

// settle ends what has ended: with half the events that began it, a surge has.
// With the shard's lock held.
func (w *watch) settle(r *record, l *limits, now int64, told *changes) {
	if r.blocked && !r.runs(now) {
		w.book.setBlocked(r, false)
		told.add(w.change(BlockEnded, r, now))
	}
	limit := &l.of[w.kind]
	if r.surging && (limit.surge == 0 || 2*w.surges(r.sum, limit, now) < limit.surge) {
		w.book.setSurging(r, false)
		told.add(w.change(SurgeEnded, r, now))
	}
}

// Surge reports whether there is a surge, in which recipients that nothing
// proves are answered at RCPT TO, and what kind of key has it: first the client,
// then the recipient, then the recipient's domain.
func (f *Flood) Surge(client netip.Addr, recipient string) (Kind, bool) {
	if c := f.clientKey(client); f.surging(&c) {
		return ByClient, true
	}
	if r := f.textKey(ByRecipient, recipient); f.surging(&r) {
		return ByRecipient, true
	}
	if d := f.domainKey(recipient); f.surging(&d) {
		return ByDomain, true
	}
	return None, false
}

func (f *Flood) surging(k *key) bool {
	w := f.watch[k.kind]
	if k.sum == 0 || w.book.surging.Load() == 0 {
		return false
	}
	l, now := f.limits.Load(), f.clock.now()
	var told changes
	s := w.book.shard(k.sum)
	s.mu.Lock()
	r := s.m[k.sum]
	is := r != nil && r.surging
	if is {
		w.settle(r, l, now, &told)
		is = r.surging
	}
	s.mu.Unlock()
	told.report(f)
	return is
}
