package classify

import (
	"strings"
	"testing"
)

func TestHTMLText(t *testing.T) {
	tests := []struct{ page, want string }{
		{"<html><head><title>Undelivered</title><style>p { color: red }</style></head><body><p>It came back.</p></body></html>", "It came back."},
		{"<STYLE>a</STYLE>one<script>if (a</b) { c() }</script> two<style>b</style> three", "one two three"},
		{"<p>to &lt;bob@example.net&gt;: <bob@example.net></p>", "to <bob@example.net>: <bob@example.net>"},
		{"<table width=550 border=1><tr><td>full</td></tr></table>", "full"},
		{"one<style>never closed", "one"},
	}
	for _, tt := range tests {
		if got := strings.Join(strings.Fields(string(htmlText([]byte(tt.page)))), " "); got != tt.want {
			t.Errorf("%s\n%q, want %q", tt.page, got, tt.want)
		}
	}
}
