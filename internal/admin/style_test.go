package admin

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"
)

// palette reads the colours of the style sheet: those of light, and of dark.
func palette(t *testing.T) [2]map[string]string {
	t.Helper()
	css, err := web.ReadFile("web/page.css")
	if err != nil {
		t.Fatal(err)
	}
	light, rest, ok := strings.Cut(string(css), "@media (prefers-color-scheme: dark)")
	dark, _, ok2 := strings.Cut(rest, "* {")
	if !ok || !ok2 {
		t.Fatal("no dark colours")
	}
	var both [2]map[string]string
	for i, part := range []string{light, dark} {
		both[i] = map[string]string{}
		for _, c := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(part, -1) {
			both[i][c[1]] = c[2]
		}
	}
	return both
}

// luminance is that of WCAG 2.2, "relative luminance".
func luminance(t *testing.T, colour string) float64 {
	var c [3]uint8
	if _, err := fmt.Sscanf(colour, "#%02x%02x%02x", &c[0], &c[1], &c[2]); err != nil {
		t.Fatalf("%q: %v", colour, err)
	}
	var l float64
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		v := float64(c[i]) / 255
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		l += weight * v
	}
	return l
}

// Text stands out from what is behind it by 4.5 to 1, and borders of fields and
// what is drawn by 3 to 1 (WCAG 2.2, 1.4.3 and 1.4.11).
func TestContrast(t *testing.T) {
	for scheme, colours := range palette(t) {
		for front, want := range map[string]float64{"ink": 4.5, "soft": 4.5, "link": 4.5, "up": 4.5, "refused": 4.5, "field": 3} {
			for _, back := range []string{"card", "paper"} {
				a, b := luminance(t, colours[front])+0.05, luminance(t, colours[back])+0.05
				if got := max(a, b) / min(a, b); got < want {
					t.Errorf("scheme %d: %s on %s: %.2f to 1, want %.1f", scheme, front, back, got, want)
				}
			}
		}
	}
}
