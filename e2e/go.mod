// The end-to-end tests are a module of their own, so that what they need never weighs on the daemon.
module github.com/backscatter-milter/backscatter-milter/e2e

go 1.26.0

require (
	github.com/backscatter-milter/backscatter-milter v0.0.0
	github.com/chromedp/cdproto v0.159.0
	github.com/chromedp/chromedp v0.23.0
	github.com/d--j/go-milter v0.10.2
	github.com/miekg/dns v1.1.73
	go.etcd.io/bbolt v1.5.0
	golang.org/x/sys v0.49.0
)

require (
	github.com/BurntSushi/toml v1.6.0 // indirect
	github.com/dchest/siphash v1.2.3 // indirect
	github.com/emersion/go-message v0.18.2 // indirect
	github.com/go-json-experiment/json v0.0.0-20260213210345-44df1a37e875 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)

replace github.com/backscatter-milter/backscatter-milter => ../
