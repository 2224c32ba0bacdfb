// Verifies CA, LEAF, NAME… (PEM files, then names or addresses in pairs LEAF NAME) with crypto/x509.
package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
)

func main() {
	roots := x509.NewCertPool()
	ca, _ := os.ReadFile(os.Args[1])
	if !roots.AppendCertsFromPEM(ca) {
		fmt.Println("the CA does not parse")
		os.Exit(1)
	}
	for at := 2; at+1 < len(os.Args); at += 2 {
		text, _ := os.ReadFile(os.Args[at])
		block, _ := pem.Decode(text)
		leaf, err := x509.ParseCertificate(block.Bytes)
		if err == nil {
			_, err = leaf.Verify(x509.VerifyOptions{
				Roots:     roots,
				DNSName:   os.Args[at+1],
				KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
			})
		}
		if err != nil {
			fmt.Println(os.Args[at+1], err)
			os.Exit(1)
		}
		fmt.Println("verified", os.Args[at+1])
	}
}
