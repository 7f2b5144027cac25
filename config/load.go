package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxFile is how large a configuration may be; long lists of domains have
// files of their own.
const maxFile = 4 << 20

// Load reads a configuration file; what it does not set is as Default gives
// it. Mistakes in it are returned as Errors. A file that is not there gives an
// error that errors.Is tells to be fs.ErrNotExist.
func Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	defer f.Close()
	data, err := readUpTo(f, maxFile)
	if err != nil {
		return nil, fmt.Errorf("configuration: %s: %w", path, cause(err))
	}
	return Parse(path, data)
}

// Parse reads a configuration that came from the file of that name: messages
// have the name, and relative "file:" names in the configuration are relative
// to its folder. All its mistakes are returned as Errors.
func Parse(name string, data []byte) (*Config, error) {
	r := &reader{file: name, dir: filepath.Dir(name), nodes: map[string]*node{}, bad: map[string]bool{}}
	root, errs := readTree(strings.TrimPrefix(string(data), "\ufeff"))
	for _, e := range errs {
		e.File, e.from = name, e.Line
		r.errs = append(r.errs, e)
	}
	c := Default()
	read(r, schema(), root, c)
	r.check(c)
	if len(r.errs) > 0 {
		slices.SortStableFunc(r.errs, func(a, b *Error) int { return a.from - b.from })
		return nil, r.errs
	}
	return c, nil
}
