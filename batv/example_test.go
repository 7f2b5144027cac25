package batv_test

import (
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/backscatter-milter/backscatter-milter/batv"
)

// A site with one key, whose tags live for ten days.
func newScheme() *batv.Scheme {
	keys, err := batv.NewKeyring(batv.Key{Secret: []byte("only an example"), Signing: true})
	if err != nil {
		log.Fatal(err)
	}
	return &batv.Scheme{Keys: keys, Layout: batv.LayoutPRVS, Lifetime: 10}
}

func Example() {
	scheme := newScheme()
	sent := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

	sender, err := scheme.Sign("alice@example.com", sent)
	if err != nil {
		log.Fatal(err)
	}
	bounced := scheme.Verify(sender, sent.AddDate(0, 0, 2))
	fmt.Println(bounced.Result, bounced.Bare())

	late := scheme.Verify(sender, sent.AddDate(0, 0, 20))
	fmt.Println(late.Result, late.Bare())
	// Output:
	// valid alice@example.com
	// expired alice@example.com
}

func ExampleScheme_Sign() {
	scheme := newScheme()
	day := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for _, address := range []string{"alice@example.com", `"alice smith"@example.com`, "list-owner+prvs=0789abcdef@example.com", ""} {
		tagged, err := scheme.Sign(address, day)
		switch {
		case errors.Is(err, batv.ErrNullSender), errors.Is(err, batv.ErrTagged):
			fmt.Println("left alone:", err)
		case err != nil:
			log.Fatal(err)
		default:
			fmt.Println(tagged)
		}
	}
	// Output:
	// prvs=078865937c=alice@example.com
	// "prvs=0788418c4e=alice smith"@example.com
	// left alone: the address carries a tag already
	// left alone: the null sender is never signed
}

func ExampleScheme_Sign_subaddress() {
	scheme := newScheme()
	scheme.Layout = batv.LayoutSubaddress
	tagged, err := scheme.Sign("alice@example.com", time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC))
	fmt.Println(tagged, err)
	// Output: alice+prvs=078865937c@example.com <nil>
}

func ExampleScheme_Verify() {
	scheme := newScheme()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for _, recipient := range []string{
		"alice@example.com",
		"prvs=0788123456=alice@example.com",
		"PRVS=3788123456=alice@example.com",
		"btv1==760cdc7c545==alice@example.com",
	} {
		v := scheme.Verify(recipient, now)
		fmt.Printf("%s, key %d, bare %q\n", v.Result, v.Key, v.Bare())
	}
	// Output:
	// missing, key -1, bare ""
	// forged, key 0, bare "alice@example.com"
	// missing, key 3, bare "alice@example.com"
	// foreign, key -1, bare ""
}

func ExampleVerdict_Bare() {
	v := newScheme().Verify("alice+news+prvs=0788123456@example.com", time.Unix(0, 0))
	fmt.Println(v.Layout, v.Bare())
	// Output: subaddress alice+news@example.com
}

func ExampleParseKeys() {
	_, err := batv.ParseKeys("keys.toml", []byte(`
[[key]]
number  = 12
secret  = "swordfish"
signing = "yes"
`))
	fmt.Println(err)
	// Output:
	// keys.toml:3: key.number: 12: must be an integer from 0 to 9
	// keys.toml:4: key.secret: (not shown): must be "base64:...", "hex:..." or "text:..."
	// keys.toml:5: key.signing: "yes": must be true or false
}

// Keys change without losing a bounce: the file names the moment, and every
// host switches at it.
func ExampleKeyring_Signer() {
	moment := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	keys, err := batv.NewKeyring(
		batv.Key{Number: 3, Secret: []byte("the present one"), Signing: true, Retired: moment},
		batv.Key{Number: 4, Secret: []byte("the next one"), SignFrom: moment},
	)
	if err != nil {
		log.Fatal(err)
	}
	for _, now := range []time.Time{moment.Add(-time.Hour), moment} {
		key, ok := keys.Signer("example.com", now)
		fmt.Println(key.Number, ok)
	}
	// Output:
	// 3 true
	// 4 true
}
