package main

import (
	"fmt"
	"os"
	"strings"
)

// processor names the machine's processor and how many of it there are to use.
func processor(count int) string {
	model := "unknown processor"
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return model
	}
	if _, rest, ok := strings.Cut(string(text), "model name"); ok {
		line, _, _ := strings.Cut(rest, "\n")
		model = strings.Trim(line, "\t :")
	}
	return fmt.Sprintf("%d × %s", count, model)
}

// loadAverage is how many processes wanted a processor over the last minute.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	one, _, _ := strings.Cut(string(text), " ")
	return one
}
