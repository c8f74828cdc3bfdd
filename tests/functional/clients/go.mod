module tlscribe.example/clients

go 1.19
