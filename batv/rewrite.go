package batv

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// RotateKeyFile changes the keys of a file as Rotate does. The new file takes
// the place of the old one whole, under its owner and mode; a link is followed.
// While one process changes a file others get an error that is fs.ErrExist.
//
// What is written in the file by hand, comments too, is kept, but for the
// tables of keys that are dropped. Only where the tables are not written under
// [[key]], each key on lines of its own, is the file written anew: plain then
// is true, and the comments are lost.
func RotateKeyFile(path string, now time.Time, o RotateOptions) (result Rotation, plain bool, err error) {
	target, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Rotation{}, false, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	if err != nil {
		return Rotation{}, false, err
	}
	path = target
	err = replaceFile(path, func() ([]byte, error) {
		present, err := LoadKeys(path)
		if err != nil {
			return nil, err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var rotated *Keyring
		if rotated, result, err = present.Rotate(now, o); err != nil {
			return nil, err
		}
		text, kept := editKeys(path, data, present, rotated)
		plain = !kept
		return text, nil
	})
	return result, plain, err
}

// editKeys turns the text of a key file into that of other keys. It changes as
// few lines as it can, and reports false where it had to write all of them.
func editKeys(name string, data []byte, present, rotated *Keyring) ([]byte, bool) {
	e := keyEditor{lines: strings.SplitAfter(string(data), "\n"), index: indexLines(string(data))}
	before, after := present.Keys(), rotated.Keys()
	if len(e.index.tables) == len(before) {
		edited := []byte(e.edit(before, after))
		// What was read from the text and what is read from it now is the judge.
		if ring, err := ParseKeys(name, edited); err == nil && sameKeys(ring.Keys(), after) {
			return edited, true
		}
	}
	return formatKeys(after), false
}

func sameKeys(a, b []Key) bool {
	return slices.EqualFunc(a, b, func(a, b Key) bool {
		return a.Number == b.Number && string(a.Secret) == string(b.Secret) && a.Signing == b.Signing &&
			a.SignFrom.Equal(b.SignFrom) && a.Retired.Equal(b.Retired) && a.Created.Equal(b.Created) &&
			slices.Equal(a.Domains, b.Domains)
	})
}

// keyEditor changes single lines of a key file.
type keyEditor struct {
	lines []string // with their ends
	index *lineIndex
}

// edit brings the tables of before to what after has; after has them in the
// same order, without those that were dropped, and new ones at the end.
func (e *keyEditor) edit(before, after []Key) string {
	at := 0 // in after
	for i, k := range before {
		if at >= len(after) || after[at].ID() != k.ID() || !slices.Equal(after[at].Domains, k.Domains) {
			e.remove(i)
			continue
		}
		e.setTime(i, "sign_from", k.SignFrom, after[at].SignFrom)
		e.setTime(i, "retired", k.Retired, after[at].Retired)
		at++
	}
	text := strings.Join(e.lines, "")
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	for _, k := range after[min(at, len(after)):] {
		text += "\n" + formatKey(k)
	}
	return text
}

// setTime writes a time of the n-th table: over the line that it has, or else
// under the table's header.
func (e *keyEditor) setTime(n int, field string, old, value time.Time) {
	if old.Equal(value) {
		return
	}
	line := fmt.Sprintf("%-7s = %s\n", field, value.UTC().Format(time.RFC3339))
	table := e.index.tables[n]
	if number, ok := table.keys[field]; ok {
		e.lines[number-1] = line
		return
	}
	e.lines[table.line-1] = strings.TrimRight(e.lines[table.line-1], "\r\n") + "\n" + line
}

// remove takes the n-th table away, with the comment that stands right above
// its header, unless it is the first line's: that one is about the file.
func (e *keyEditor) remove(n int) {
	begin := e.commentAbove(e.index.tables[n].line - 1)
	end := len(e.lines)
	if n+1 < len(e.index.tables) {
		end = e.commentAbove(e.index.tables[n+1].line - 1)
	}
	for i := begin; i < end; i++ {
		e.lines[i] = ""
	}
}

// commentAbove is the index of the line at which the comment right above a
// line begins, or that of the line itself.
func (e *keyEditor) commentAbove(line int) int {
	begin := line
	for begin > 0 && strings.HasPrefix(strings.TrimSpace(e.lines[begin-1]), "#") {
		begin--
	}
	if begin == 0 {
		return line
	}
	return begin
}

const keyFileHead = `# Keys that sign the envelope senders of this site (BATV).
# Whoever can read this file can make tags that pass: keep its mode at 0600.
`

// formatKeys writes a whole key file.
func formatKeys(keys []Key) []byte {
	text := keyFileHead
	for _, k := range keys {
		text += "\n" + formatKey(k)
	}
	return []byte(text)
}

// formatKey writes the table of one key.
func formatKey(k Key) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[[key]]\nnumber  = %d\nsecret  = \"base64:%s\"\n", k.Number, base64.StdEncoding.EncodeToString(k.Secret))
	if k.Signing {
		b.WriteString("signing = true\n")
	}
	for _, t := range []struct {
		field string
		value time.Time
	}{{"sign_from", k.SignFrom}, {"retired", k.Retired}, {"created", k.Created}} {
		if !t.value.IsZero() {
			fmt.Fprintf(&b, "%-7s = %s\n", t.field, t.value.UTC().Format(time.RFC3339Nano))
		}
	}
	if len(k.Domains) > 0 {
		quoted := make([]string, len(k.Domains))
		for i, d := range k.Domains {
			quoted[i] = fmt.Sprintf("%q", d)
		}
		fmt.Fprintf(&b, "domains = [%s]\n", strings.Join(quoted, ", "))
	}
	return b.String()
}

// replaceFile puts what content gives in the place of a file, whole or not at
// all. The name that the new file has meanwhile keeps others from doing the
// same: what content reads is what is replaced.
func replaceFile(path string, content func() ([]byte, error)) (err error) {
	temporary := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new")
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, keyFileMode)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: the keys are being changed by another process; if there is none, one was cut short: remove the file", err)
	}
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temporary))
		}
	}()
	data, err := content()
	if err == nil {
		_, err = f.Write(data)
	}
	if err == nil {
		err = asBefore(f, path)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Rename(temporary, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// asBefore gives the new file the mode and the owner of the one it replaces: a
// daemon under a user of its own must still read what root has written.
func asBefore(f *os.File, path string) error {
	before, err := os.Stat(path)
	if err != nil {
		return err
	}
	now, err := f.Stat()
	if err != nil {
		return err
	}
	if err := giveTo(f, before, now); err != nil {
		return err
	}
	return f.Chmod(before.Mode().Perm())
}
