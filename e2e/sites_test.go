//go:build linux

package e2e

func sitesCases() []testCase { return nil }
