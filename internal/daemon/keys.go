package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/internal/control"
	"github.com/backscatter-milter/backscatter-milter/internal/knowledge"
	"github.com/backscatter-milter/backscatter-milter/internal/maillog"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
	"github.com/backscatter-milter/backscatter-milter/internal/problem"
)

// openKeys loads the key file, making it at the first start.
func openKeys(path string, known *knowledge.Site, now time.Time, log *maillog.Log) (*batv.Keyring, error) {
	keys, err := batv.LoadKeys(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return keys, err
	}
	if until := known.Abroad(now); !until.IsZero() {
		return nil, problem.WithHint(
			fmt.Errorf("the key file %s is gone, and mail signed with its keys may bounce until %s: a new file would make forgeries of genuine bounces", path, until.UTC().Format(time.DateOnly)),
			"bring it back from a backup or from another host of this site; to do without: backscatter-milter keys init",
		)
	}
	if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
		keys, err = batv.CreateKeyFile(path, now)
	}
	if errors.Is(err, fs.ErrExist) { // another daemon has just made it
		return batv.LoadKeys(path)
	}
	if err != nil {
		return nil, problem.WithHint(fmt.Errorf("cannot make a key file: %w", err), "name another folder with --state")
	}
	log.Info("made a key file, keep it: bounces to mail signed with a lost key cannot be told from forgeries", "file", path)
	return keys, nil
}

// keyStates tells of each key what it does, and nothing of its secret.
func keyStates(s *settings, now time.Time) []control.Key {
	states := []control.Key{}
	for _, k := range s.keys.Keys() {
		created := ""
		if !k.Created.IsZero() {
			created = k.Created.UTC().Format(time.DateOnly)
		}
		states = append(states, control.Key{
			Number: k.Number, State: KeyState(s.keys, k, now, policy.Scheme(s.cfg, s.keys).Lifetime),
			Created: created, Domains: append([]string{}, k.Domains...),
		})
	}
	return states
}

// KeyState says what a key does at the given time; lifetime is that of tags, in
// days.
func KeyState(ring *batv.Keyring, k batv.Key, now time.Time, lifetime int) string {
	switch {
	case !k.Retired.IsZero() && !k.Retired.After(now):
		last := k.Retired.AddDate(0, 0, lifetime)
		if batv.DayOf(now) > batv.DayOf(last) {
			return "retired " + k.Retired.UTC().Format(time.DateOnly) + ", verifies no more"
		}
		return "retired, verifies until " + last.UTC().Format(time.DateOnly)
	case k.SignFrom.After(now):
		return "verifies, signs from " + k.SignFrom.UTC().Format(time.RFC3339)
	case !Signs(ring, k, now):
		return "verifies"
	case !k.Retired.IsZero():
		return "signs until " + k.Retired.UTC().Format(time.RFC3339)
	}
	return "signs"
}

// Signs reports whether a key is the one that signs, for one of its domains at
// least.
func Signs(ring *batv.Keyring, k batv.Key, now time.Time) bool {
	for _, domain := range append([]string{""}, k.Domains...) {
		if (domain == "") != (len(k.Domains) == 0) {
			continue
		}
		if signer, ok := ring.Signer(domain, now); ok && signer.ID() == k.ID() {
			return true
		}
	}
	return false
}
