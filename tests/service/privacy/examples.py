"""Texts with and without personal data, of our own writing; every person and key is made up.

What is to be found is written as `[[KIND|value]]`. A `·` is taken out when a text is read: it keeps
key scanners from taking the made-up keys for real ones. The patterns were adjusted on `SEEN` only;
`HELD_BACK` was written before they were run on anything, and of what it showed one thing was
changed: check digits that a country has inside its IBANs are not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from service.privacy.found import Kind

_MARKED = re.compile(r"\[\[([A-Z]+)\|(.*?)\]\]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text and the places of what is to be found in it."""

    text: str
    spans: tuple[tuple[int, int, Kind], ...]


def labelled(marked: str) -> Labelled:
    """An example without its marks."""
    text, spans, at = "", [], 0
    marked = marked.replace("·", "")
    for match in _MARKED.finditer(marked):
        text += marked[at : match.start()]
        kind: Kind = match[1]  # type: ignore[assignment]
        spans.append((len(text), len(text) + len(match[2]), kind))
        text += match[2]
        at = match.end()
    return Labelled(text + marked[at:], tuple(spans))


SEEN: Sequence[str] = (
    # mail
    "Write to [[EMAIL|anna.smith@example.com]] before Friday.",
    "cc: [[EMAIL|b.o'neill+news@mail.example.co.uk]], thanks",
    "Meine Adresse ist [[EMAIL|jürgen@bücher.example]].",
    "<[[EMAIL|support@shop.example]]> wrote on 3 May:",
    "mailto:[[EMAIL|x_y-z@sub.domain.example.org]]?subject=Hello",
    "reach me at [[EMAIL|tom [at] example [dot] com]] please",
    "[[EMAIL|ana@example.com]],[[EMAIL|bob@example.net]];[[EMAIL|eve@example.org]]",
    "git clone git@github.com:acme/tool.git",
    "npm install react@18.2.0 and left-pad@1.3.0",
    "In Python, a @ b multiplies two matrices.",
    "Follow @fairlead on the social network; the decorator is @app.route.",
    "The price is 3 @ 4.50 each.",
    # telephones
    "Call me on [[PHONE|+49 30 901820]] after six.",
    "Phone: [[PHONE|(415) 555-2671]] ext. 4",
    "You can dial [[PHONE|020 7946 0958]] for the London office.",
    "My mobile is [[PHONE|0171 2345678]], leave a message.",
    "WhatsApp [[PHONE|+55 11 91234-5678]] or [[PHONE|+1-202-555-0173]]",
    "Tel. [[PHONE|089/1234567]] (Mo-Fr)",
    "Appelez le [[PHONE|01 23 45 67 89]] demain.",
    "reach us at [[PHONE|202.555.0143]] any time",
    "call [[PHONE|4155552671]] now",
    "The order 4155552671 has been shipped.",
    "Order number: 202-555-0143-77",
    "Invoice 2024-1234567 is due on 2024-05-12.",
    "ISBN 978-3-16-148410-0 is on page 1234567.",
    "The meeting is 2024-05-12 10:30 to 2024-05-13 11:45.",
    "12.05.2024 13:45 Uhr, Raum 204",
    "The tracking number is 1234 5678 9012.",
    "Compute 1234567 + 7654321 and 1000000 - 999999.",
    "Pi is 3.14159265358979 and e is 2.718281828459.",
    "The vector is [1 2 3 4 5 6 7 8 9 10 11 12].",
    "Population: 83,129,285 in 2021; 8 000 000 000 worldwide.",
    "unix time 1700000000, in ms 1700000000000",
    "RFC 2119, sections 1-7, pages 1200-1350",
    "ratio 16:9, 1920x1080, 60 Hz, 5 000 000 pixels",
    # cards
    "My Visa is [[CARD|4111 1111 1111 1111]], exp 12/29, cvv 123.",
    "card=[[CARD|5555555555554444]]",
    "Amex [[CARD|3782-822463-10005]] was declined",
    "pay with [[CARD|6011 1111 1111 1117]] or [[CARD|3530111333300000]]",
    "[[CARD|4111-1111-1111-1111]]/[[CARD|378282246310005]]",
    "4111 1111 1111 1112 has a wrong check digit.",
    "Serial 1234567890123456 is on the back.",
    "The SKU is 9999-8888-7777-6666 in blue.",
    "0.4111111111111111 is about 37/90.",
    # accounts
    "IBAN [[IBAN|DE89 3704 0044 0532 0130 00]] please",
    "Transfer to [[IBAN|GB82WEST12345698765432]] today.",
    "iban: [[IBAN|fr14 2004 1010 0505 0001 3m02 606]]",
    "[[IBAN|NL91-ABNA-0417-1643-00]] is the account",
    "DE89 3704 0044 0532 0130 01 has wrong check digits.",
    "Part AB12 3456 7890 1234 5678 fits.",
    # addresses of machines
    "The client [[IP|203.0.113.42]] sent 12 requests.",
    "http://[[IP|198.51.100.7]]:8080/health is down",
    "hosts: [[IP|10.20.30.40]], [[IP|192.168.1.77]]/24",
    "from [[IP|2001:db8:85a3::8a2e:370:7334]] to [[IP|fe80::1ff:fe23:4567:890a]]",
    "[[[IP|2001:db8::1]]]:443 refused",
    "It listens on 127.0.0.1:8080 and 0.0.0.0, mask 255.255.255.0, and on ::1.",
    "Version 10.4.2.1 fixes this; see section 3.2.1.4.",
    "Upgrade to v1.2.3.4 of the driver.",
    "at 12:34:56 the MAC aa:bb:cc:dd:ee:ff appeared",
    "std::vector<int> and ns::a::b are C++ names",
    "256.300.1.2 is no address",
    # keys
    "OPENAI_API_KEY=[[KEY|sk-pr·oj-Ab12Cd34Ef56Gh78Ij90Kl12Mn34]]",
    "use [[KEY|sk-a·nt-api03-a1B2c3D4e5F6g7H8i9J0k1L2-xyz_0]] as the key",
    "aws: [[KEY|AKI·AIOSFODNN7EXAMPLE]]",
    "aws_secret_access_key = [[KEY|wJalrXUtnFEMI/K7MDENG/bPxRfiCYEX·AMPLEKEY]]",
    "token [[KEY|gh·p_16C7e42F292c6912E7710c838347Ae178B4a]]",
    "Authorization: Bearer [[KEY|mF_9.B5f-4.1JqM0x8a7]]",
    "Authorization: Basic [[KEY|QWxhZGRpbjpvcGVuIHNlc2FtZQ==]]",
    "jwt [[KEY|eyJ·hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9.dBjftJeZ4CVPmB92K27uhbUJU1p1r]]",
    "-----BEGIN is how a PEM file starts.",
    "Here: [[KEY|-----BEGIN RSA PRIV·ATE KEY-----\nMIIBOg\n-----END RSA PRIV·ATE KEY-----]] thanks",
    "postgres://app:[[KEY|s3cr3t-pw]]@db.internal:5432/app",
    "password: [[KEY|hunter2!x9]] and that is all",
    "AIza is the start of a Google key such as [[KEY|AIz·aSyA-1234567890abcdefghijklmnopqrstu]].",
    "xoxb: [[KEY|xo·xb-123456789012-abcdefABCDEF]]",
    "stripe [[KEY|sk_li·ve_4eC39HqLyjWDarjtT1zdp7dc]] live",
    "hf: [[KEY|h·f_abcdefghijklmnopqrstuvwxyz0123456789]]",
    "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "commit 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
    "uuid 123e4567-e89b-12d3-a456-426614174000",
    "The password must contain eight characters and a digit.",
    "bearer bonds and bearer certificates are rare now",
    "token = tokenizer.decode(ids)",
    "the secret: patience",
    "sk-learn-style-pipelines-are-convenient to write",
    "max_tokens: 4096, key: value, api_key: null",
    '{"password": "[[KEY|correct-horse-9-battery]]", "user": "ann"}',
    "passwd=[[KEY|Tr0ub4dor&3]]",
)

HELD_BACK: Sequence[str] = (
    # mail
    "Hi, I'm Lea ([[EMAIL|lea.k@posteo.example]]) and my order never came.",
    "Bitte an [[EMAIL|rechnung@firma-müller.example]] senden!",
    'From: "Doe, John" <[[EMAIL|john_doe99@mail.example]]>',
    "contact=[[EMAIL|info%40x@relay.example.net]]&x=1",
    "My old address was [[EMAIL|m@x.example]] (one letter!)",
    "write [[EMAIL|sara(at)example(dot)org]] instead",
    "see user@localhost or root@db01 in the log",
    "lodash@4.17.21 breaks with node@20.1.0-beta",
    "The handle is @marie_curie; tweet at her.",
    # telephones
    "Ring Bob: [[PHONE|+44 7700 900123]] (evenings)",
    "Our fax is [[PHONE|+41 44 668 18 00]].",
    "telefono [[PHONE|+34 912 345 678]] o [[PHONE|+39 06 698 12345]]",
    "Text [[PHONE|503-555-0188]] to opt out.",
    "Unter [[PHONE|+49 (0)221 123456]] erreichbar",
    "My number is [[PHONE|(212) 555-0199]]",
    "call the hotline, [[PHONE|0800 123 4567]], it is free",
    "phone [[PHONE|+919876543210]]",
    "Case 2023-4455667 was closed on 01/02/2023.",
    "Parcel 00340434161094022115 is on its way.",
    "Multiply 4155551 by 2671234 and subtract 5551234.",
    "From 1914-1918 and 1939-1945; 1998-2004 too.",
    "The serial is 212-555-019X, rev 2.",
    "Coordinates 52.520008, 13.404954 and 40.712776, -74.005974",
    "A budget of 1 250 000 EUR, of which 300-400 thousand are spent",
    "Flight LH 1234 at 14:05, seat 23A, booking 7XK2P9",
    "0123456789 are the ten digits.",
    # cards
    "Charge [[CARD|4012 8888 8888 1881]] for 20.00 EUR",
    '{"pan": "[[CARD|5105105105105100]]", "amount": 1299}',
    "my mastercard [[CARD|2223 0031 2200 3222]] 08/27",
    "diners [[CARD|3056 930902 5904]]",
    "number 4012 8888 8888 1882 was refused as invalid",
    "GTIN 4006381333931 and 00012345678905",
    "IMEI 490154203237518",
    # accounts
    "Konto [[IBAN|AT61 1904 3002 3457 3201]], BIC BKAUATWW",
    "Please pay [[IBAN|CH9300762011623852957]].",
    "ES [[IBAN|ES9121000418450200051332]] is mine",
    "[[IBAN|BE68 5390 0754 7034]] and [[IBAN|PL61 1090 1014 0000 0712 1981 2874]]",
    "VAT DE123456789, HRB 12345, tax 12/345/67890",
    "GB29 NWBK 6016 1331 9268 18 was mistyped",
    # addresses of machines
    "Blocked [[IP|45.83.64.1]] after 5 tries from [[IP|45.83.64.2]].",
    "ping [[IP|8.8.8.8]] works, [[IP|2606:4700:4700::1111]] does not",
    "X-Forwarded-For: [[IP|172.16.254.1]], [[IP|2001:db8:0:0:0:0:2:1]]",
    "ssh root@[[IP|192.0.2.146]] -p 2222",
    "Firmware 2.0.14.3 and build 1.19.3.0 are affected.",
    "Chapter 1.2.3.4 says so, and 1.2.3 as well.",
    "the slice a[::2] and x[1:10:3] in Python",
    "it took 1:02:03 for 10:20 pages",
    "bind to localhost (127.0.0.53)",
    # keys
    'export ANTHROPIC_API_KEY="[[KEY|sk-a·nt-api03-Zz9Yy8Xx7Ww6Vv5Uu4Tt3Ss2Rr1-AA]]"',
    "curl -H 'Authorization: Bearer [[KEY|sk-or-v1·-0a1b2c3d4e5f60718293a4b5c6d7e8f9]]'",
    "here is my key [[KEY|gl·pat-x1y2z3A4B5C6D7E8F9G0]] for gitlab",
    "SLACK=https://[[KEY|hooks.slack.com/serv·ices/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX]]",
    "my npm token: [[KEY|np·m_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8]]",
    "client_secret: '[[KEY|8f14e45f-ceea-467f-a0e6-d5f5e8a1b2c3]]'",
    "redis://default:[[KEY|p4ssw0rd]]@cache.internal:6379",
    "cookie session=[[KEY|eyJ·0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UifQ.c2lnbmF0dXJl]]",
    "PASSWORD='[[KEY|kX9#mQ2$vL7p]]'",
    "[[KEY|-----BEGIN OPENSSH PRIV·ATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAE\n]]",
    "telegram [[KEY|123456789:AA·HdqTcvCH1vGWJxfSeofSAs0K5PALDsaw]]",
    "md5 d41d8cd98f00b204e9800998ecf8427e of the empty file",
    "docker image sha256:9b2a3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f809",
    "Enter your password: then press return",
    "the API key: see the settings page",
    "token budget: 128000 of 200000 tokens",
    "secret=os.environ['SECRET']",
    "-----BEGIN CERTIFICATE-----\nMIIBkTCB+wIJAL\n-----END CERTIFICATE-----",
)
