package config

import (
	"slices"
	"testing"
)

// TestKeys wants all that the manual says of a key said of each; that examples
// are taken, and differ from the default, is TestEveryKey's business.
func TestKeys(t *testing.T) {
	var listed []string
	for _, k := range Keys() {
		listed = append(listed, k.Path)
		if k.Allowed == "" || k.Example == "" {
			t.Errorf("incomplete: %+v", k)
		}
		if k.Restart != slices.Contains(restartKeys(), k.Path) {
			t.Errorf("%s: restart is %v", k.Path, k.Restart)
		}
	}
	required := slices.DeleteFunc(Keys(), func(k Key) bool { return !k.Required })
	if len(required) != 5 { // rule.header, match and class; dnsbl.zone; domain.name
		t.Errorf("required: %+v", required)
	}
	if !slices.Equal(listed, paths(schema())) {
		t.Errorf("got %q", listed)
	}
}
