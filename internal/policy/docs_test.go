package policy

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What users are told is what the code does: the README's table has the rows
// of ours, in order, with their defaults and stages.
func TestReadmeShowsTheTable(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(readme), "| reason | when | default | from stage |\n|---|---|---|---|\n")
	if !found {
		t.Fatal("the README has no table of reasons")
	}
	var told, done []string
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) != 6 {
			break
		}
		told = append(told, strings.Join([]string{
			strings.Trim(cells[1], " `"), strings.TrimSpace(cells[3]), strings.TrimSpace(cells[4]),
		}, " "))
	}
	for _, r := range Rows() {
		done = append(done, strings.Join([]string{string(r.Reason), string(r.Default), r.From.String()}, " "))
	}
	if d := cmp.Diff(done, told); d != "" {
		t.Errorf("the README's table (-code +README):\n%s", d)
	}
}
