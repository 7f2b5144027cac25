package config

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Parsers of single values. Each takes what the TOML library gives (string,
// int64, float64, bool, time.Time, []any, map[string]any) and returns
// errAllowed, or an error that says better what is allowed.

func boolean(v any) (bool, error) {
	b, ok := v.(bool)
	return b, allowed(ok)
}

// ref makes a parser for settings that know "not set".
func ref[T any](parse func(any) (T, error)) func(any) (*T, error) {
	return func(v any) (*T, error) {
		t, err := parse(v)
		return &t, err
	}
}

func allowed(ok bool) error {
	if ok {
		return nil
	}
	return errAllowed
}

// between parses a whole number.
func between(low, high int64) func(any) (int, error) {
	return func(v any) (int, error) {
		n, ok := v.(int64)
		return int(n), allowed(ok && low <= n && n <= high)
	}
}

// text parses a string that is one printable word, or may be empty.
func text(v any) (string, error) {
	s, ok := v.(string)
	return s, allowed(ok && !strings.ContainsFunc(s, notGraphic))
}

// word parses a string that is one printable word.
func word(v any) (string, error) {
	s, err := text(v)
	if s == "" {
		return "", errAllowed
	}
	return s, err
}

func notGraphic(c rune) bool {
	return c == ' ' || c == utf8.RuneError || !unicode.IsPrint(c)
}

// fileName parses the name of a file, absolute or not.
func fileName(v any) (string, error) {
	s, ok := v.(string)
	ok = ok && s != "" && !strings.HasSuffix(s, "/") && !strings.ContainsFunc(s, func(c rune) bool {
		return c == utf8.RuneError || !unicode.IsPrint(c)
	})
	return s, allowed(ok)
}

// duration parses lengths of time from low to high, both included.
func duration(low, high time.Duration) func(any) (time.Duration, error) {
	return func(v any) (time.Duration, error) {
		s, ok := v.(string)
		if !ok {
			return 0, errAllowed
		}
		d, ok := parseDuration(s)
		return d, allowed(ok && low <= d && d <= high)
	}
}

// wholeDays is duration for what is counted in days.
func wholeDays(low, high int) func(any) (time.Duration, error) {
	parse := duration(time.Duration(low)*day, time.Duration(high)*day)
	return func(v any) (time.Duration, error) {
		d, err := parse(v)
		if err == nil && d%day != 0 {
			err = errAllowed
		}
		return d, err
	}
}

// maxWeeks, or as many days besides, fit into a time.Duration.
const maxWeeks = 10000

// parseDuration takes weeks and days before the units of time.ParseDuration:
// "2w", "1d12h", "90s".
func parseDuration(s string) (time.Duration, bool) {
	if s == "" || !isDigit(s[0]) {
		return 0, false
	}
	var total time.Duration
	for _, unit := range []struct {
		name  string
		worth time.Duration
	}{{"w", 7 * day}, {"d", day}} {
		number, rest, found := strings.Cut(s, unit.name)
		if !found {
			continue
		}
		n, err := strconv.ParseUint(number, 10, 16)
		if err != nil || n > maxWeeks {
			return 0, false
		}
		total += time.Duration(n) * unit.worth
		s = rest
	}
	if s == "" {
		return total, true
	}
	d, err := time.ParseDuration(s)
	if err != nil || !isDigit(s[0]) || d > math.MaxInt64-total {
		return 0, false
	}
	return total + d, true
}

// size parses numbers of octets: "256KiB", "1MiB", "1000", or 1000.
func size(low, high int64) func(any) (int64, error) {
	return func(v any) (int64, error) {
		n, ok := v.(int64)
		if s, isString := v.(string); isString {
			n, ok = parseSize(s)
		}
		return n, allowed(ok && low <= n && n <= high)
	}
}

func parseSize(s string) (int64, bool) {
	shift := 0
	for i, unit := range []string{"KiB", "MiB", "GiB"} {
		if number, ok := strings.CutSuffix(s, unit); ok {
			s, shift = number, 10*(i+1)
		}
	}
	n, err := strconv.ParseUint(s, 10, 32)
	return int64(n) << shift, err == nil
}

// socketMode parses an octal string such as "0660".
func socketMode(v any) (fs.FileMode, error) {
	s, ok := v.(string)
	if !ok {
		return 0, errAllowed
	}
	n, err := strconv.ParseUint(s, 8, 32)
	if err != nil || n > 0o777 || len(s) < 3 || len(s) > 4 {
		return 0, errAllowed
	}
	if n&0o222 == 0 {
		return 0, errors.New(`a mode with a write bit, without which nobody can connect, such as "0660"`)
	}
	return fs.FileMode(n), nil
}

// sign parses "auto", true and false; the last two are no strings.
func sign(v any) (Sign, error) {
	switch v {
	case "auto":
		return SignAuto, nil
	case true:
		return SignOn, nil
	case false:
		return SignOff, nil
	case "true", "false":
		return "", fmt.Errorf("%s without quotes", v)
	}
	return "", errAllowed
}

// delimiter parses one character that may stand in a local part (RFC 5322,
// section 3.2.3, atext, and the dot). Letters and digits cannot tell a tag from
// a name, "=" is part of the tag, and MTAs give "%" and "!" a meaning of their
// own (source routes).
func delimiter(v any) (string, error) {
	s, ok := v.(string)
	return s, allowed(ok && len(s) == 1 && strings.Contains("#$&'*+-./?^_`{|}~", s))
}

// nullLike parses a local part that counts as the null sender.
func nullLike(v any) (string, error) {
	s, ok := v.(string)
	if !ok || !validLocal(s) || s == "*" {
		return "", errAllowed
	}
	return fold(s), nil
}

// explainURL parses a URL that goes into SMTP replies, "" for none.
func explainURL(v any) (string, error) {
	s, ok := v.(string)
	if !ok || len(s) > maxURL {
		return "", errAllowed
	}
	if s == "" {
		return "", nil
	}
	rest, ok := strings.CutPrefix(s, "https://")
	if !ok {
		rest, ok = strings.CutPrefix(s, "http://")
	}
	rest = strings.ReplaceAll(rest, "{reason}", "")
	bad := strings.ContainsFunc(rest, func(c rune) bool {
		return c <= ' ' || c > '~' || strings.ContainsRune(`{}<>"\`, c)
	})
	return s, allowed(ok && !bad && rest != "" && isAlnum(rest[0]))
}

// maxURL leaves room in a reply line of 512 octets (RFC 5321, section
// 4.5.3.1.5) for the code and a sentence.
const maxURL = 200

// fieldName parses the name of a header field (RFC 5322, section 3.6.8).
func fieldName(v any) (string, error) {
	s, ok := v.(string)
	if bare, colon := strings.CutSuffix(s, ":"); colon && validField(bare) {
		return "", fmt.Errorf("%q, without the colon", bare)
	}
	return s, allowed(ok && validField(s))
}

func validField(s string) bool {
	return s != "" && len(s) <= 76 && !strings.ContainsFunc(s, func(c rune) bool {
		return c <= ' ' || c > '~' || c == ':'
	})
}

// expression parses a regular expression, and says what is wrong with it.
func expression(v any) (*regexp.Regexp, error) {
	s, ok := v.(string)
	if !ok || s == "" {
		return nil, errAllowed
	}
	re, err := regexp.Compile(s)
	if err != nil {
		return nil, fmt.Errorf("a regular expression: %s", printable(cut(strings.TrimPrefix(err.Error(), "error parsing regexp: "))))
	}
	return re, nil
}

// level parses the least level that is logged.
func level(v any) (slog.Level, error) {
	switch v {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, errAllowed
}

// minToken is the shortest token, about 64 bits where it is drawn from
// hexadecimal digits.
const minToken = 16

// token parses a bearer token (RFC 6750, section 2.1: no spaces), "" for none.
func token(v any) (string, error) {
	s, ok := v.(string)
	bad := strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' })
	return s, allowed(ok && !bad && (s == "" || len(s) >= minToken))
}

func isAlnum(c byte) bool {
	return isLetter(c) || isDigit(c)
}

func isLetter(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z'
}

func isDigit(c byte) bool {
	return '0' <= c && c <= '9'
}
