// SPDX-License-Identifier: Apache-2.0

// Addresses and URLs that SSRF is made of, from the registries and from the
// public collections of spellings. Nothing here is taken from cordon's table.

// The ends of what may never be dialled (IANA special-purpose registries, cloud
// metadata, service ranges of clusters).
const v4Ranges = [
  ['0.0.0.0', '0.255.255.255'], ['10.0.0.0', '10.255.255.255'],
  ['34.118.224.0', '34.118.239.255'], ['100.64.0.0', '100.127.255.255'],
  ['127.0.0.0', '127.255.255.255'], ['169.254.0.0', '169.254.255.255'],
  ['172.16.0.0', '172.31.255.255'], ['192.0.0.0', '192.0.0.255'],
  ['192.0.2.0', '192.0.2.255'], ['192.31.196.0', '192.31.196.255'],
  ['192.52.193.0', '192.52.193.255'], ['192.88.99.0', '192.88.99.255'],
  ['192.168.0.0', '192.168.255.255'], ['192.175.48.0', '192.175.48.255'],
  ['198.18.0.0', '198.19.255.255'], ['198.51.100.0', '198.51.100.255'],
  ['203.0.113.0', '203.0.113.255'], ['224.0.0.0', '239.255.255.255'],
  ['240.0.0.0', '255.255.255.255'],
];

const v4Singles = ['168.63.129.16', '169.254.169.254', '169.254.170.2',
  '169.254.169.253', '169.254.169.123', '100.100.100.200', '192.0.0.192',
  '127.0.0.1', '127.0.0.53', '127.1.2.3', '10.0.0.5', '10.96.0.1',
  '10.43.0.1', '172.17.0.1', '172.20.0.1', '192.168.1.1', '192.168.65.2',
  '100.64.0.1', '0.0.0.0', '255.255.255.255', '224.0.0.251', '239.255.255.250'];

export const privateV4 = [...new Set([...v4Ranges.flat(), ...v4Singles])];

// The nearest neighbours outside.
export const publicV4 = ['1.0.0.0', '9.255.255.255', '11.0.0.0',
  '34.118.223.255', '34.118.240.0', '100.63.255.255', '100.128.0.0',
  '126.255.255.255', '128.0.0.0', '168.63.129.15', '168.63.129.17',
  '169.253.255.255', '169.255.0.0', '172.15.255.255', '172.32.0.0',
  '191.255.255.255', '192.0.1.0', '192.0.3.0', '192.31.195.255',
  '192.31.197.0', '192.52.192.255', '192.52.194.0', '192.88.98.255',
  '192.88.100.0', '192.167.255.255', '192.169.0.0', '192.175.47.255',
  '192.175.49.0', '198.17.255.255', '198.20.0.0', '198.51.99.255',
  '198.51.101.0', '203.0.112.255', '203.0.114.0', '223.255.255.255',
  '8.8.8.8', '93.184.216.34'];

const hex = (n) => n.toString(16);
const halves = (v4) => {
  const [a, b, c, d] = v4.split('.').map(Number);
  return [hex(a * 256 + b), hex(c * 256 + d)];
};
const flipped = (v4) => halves(v4).map((word) => hex(parseInt(word, 16) ^ 0xffff));

// Every way in which IPv6 carries an IPv4 address.
export const embeddings = {
  mapped: (v4) => `::ffff:${v4}`,
  'mapped in hex': (v4) => `::ffff:${halves(v4).join(':')}`,
  compatible: (v4) => `::${halves(v4).join(':')}`,
  translated: (v4) => `::ffff:0:${halves(v4).join(':')}`,
  NAT64: (v4) => `64:ff9b::${halves(v4).join(':')}`,
  'local NAT64': (v4) => `64:ff9b:1::${halves(v4).join(':')}`,
  '6to4': (v4) => `2002:${halves(v4).join(':')}::1`,
  Teredo: (v4) => `2001:0:2d27:1::${flipped(v4).join(':')}`,
  'Teredo server': (v4) => `2001:0:${halves(v4).join(':')}::d2d8:fffe`,
  ISATAP: (v4) => `2a0e:97c0:99::5efe:${halves(v4).join(':')}`,
  'ISATAP, global bit': (v4) => `2a0e:97c0:99::200:5efe:${halves(v4).join(':')}`,
};

export const embedded = ['127.0.0.1', '10.0.0.5', '169.254.169.254',
  '192.168.1.1'].flatMap((v4) =>
  Object.values(embeddings).map((embed) => embed(v4)));

export const privateV6 = [...new Set(['::', '::1', '::2', '::ffff:8.8.8.8',
  '64:ff9b::808:808', '64:ff9b:1::1', '64:ff9b:1:ffff:ffff:ffff:ffff:ffff',
  '100::1', '100:0:0:1::1', '100:0:0:2::1', '2001::1', '2001:1::1',
  '2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff', '2001:2::1', '2001:10::1',
  '2001:20::1', '2001:db8::1', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff',
  '2002::1', '2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '2620:4f:8000::1',
  '3fff::1', '3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff', '5f00::1',
  '5f00:ffff::1', 'fc00::1', 'fd00::1', 'fdff:ffff::1', 'fd00:ec2::254',
  'fd00:ec2::253', 'fd00:ec2::23', 'fd20:ce::254', 'fd00:c1::a9fe:a9fe',
  'fd00:42::42', 'fd00:a9fe:a9fe::1', 'fd00:100::100:200', 'fe80::1',
  'fe80::a9fe:a9fe', 'febf:ffff::1', 'fec0::1', 'feff:ffff::1', 'ff02::1',
  'ff0e::1', 'ff01::fb', '200::1', '4000::1', '8000::1', 'e000::1', 'fe00::1',
  ...embedded])];

export const publicV6 = ['2000::1', '2001:200::1', '2001:4860:4860::8888',
  '2001:db7:ffff::1', '2001:db9::1', '2003::1', '2606:2800:220:1::1',
  '2620:4f:7fff::1', '2620:4f:8001::1', '2a0e:97c0:99::1', '3ffe::1'];

export const isV6 = (address) => address.includes(':');
export const hostOf = (address) => isV6(address) ? `[${address}]` : address;

// ---- spellings -------------------------------------------------------------

const wide = (text) => [...text].map((c) =>
  /[!-~]/.test(c) ? String.fromCodePoint(c.codePointAt(0) + 0xfee0) : c).join('');
const circled = (text) => [...text].map((c) =>
  c === '0' ? '⓪' : /[1-9]/.test(c) ? String.fromCodePoint(0x245f + Number(c))
    : /[a-z]/.test(c) ? String.fromCodePoint(0x24d0 + c.charCodeAt(0) - 97)
      : c).join('');
const octal = (n) => `0${n.toString(8)}`;

// One IPv4 address, as inet_aton(3), browsers and libraries read it.
export function spellings(v4) {
  const [a, b, c, d] = v4.split('.').map(Number);
  const whole = ((a * 256 + b) * 256 + c) * 256 + d;
  const hexed = hex(whole).padStart(8, '0');
  return [
    String(whole), `0x${hexed}`, `0X${hexed.toUpperCase()}`, octal(whole),
    `00${octal(whole)}`, String(whole + 2 ** 32), `0x1${hexed}`,
    `0x${hex(a)}.0x${hex(b)}.0x${hex(c)}.0x${hex(d)}`,
    `0x${hex(a)}.${b}.${c}.${d}`, `${a}.${b}.${c}.0x${hex(d)}`,
    [a, b, c, d].map(octal).join('.'),
    [a, b, c, d].map((n) => `000${octal(n)}`).join('.'),
    [a, b, c, d].map((n) => String(n).padStart(3, '0')).join('.'),
    `${a}.${(b * 256 + c) * 256 + d}`, `${a}.${b}.${c * 256 + d}`,
    `0x${hex(a)}.${(b * 256 + c) * 256 + d}`,
    `${octal(a)}.${b}.0x${hex(c * 256 + d)}`,
    `${a + 256}.${b + 256}.${c + 256}.${d + 256}`,
    `${v4}.`, `${v4}..`, `.${v4}`, `${a}..${b}.${c}.${d}`, `${v4}.0`,
    wide(v4), circled(v4), v4.replaceAll('.', '。'),
    v4.replaceAll('.', '｡'), v4.replaceAll('.', '．'),
    v4.replace('.', '\u00ad.'), v4.replace('.', '\u200d.'),
    v4.replace('.', '\u200b.'), `\u2060${v4}`,
    [...v4].map((x) => `%${hex(x.charCodeAt(0))}`).join(''),
    v4.replace('.', '%2e'), v4.replace('.', '%252e'),
    `${v4}%00`, `${v4}%00.acme.net`, `${v4}%20`, `${v4}%0d%0a`, `${v4}%23`,
    `[${v4}]`, `[::ffff:${v4}]`, `[::ffff:${halves(v4).join(':')}]`,
    `[::FFFF:${v4}]`, `[0:0:0:0:0:ffff:${v4}]`, `[0000::ffff:${v4}]`,
    `[::${v4}]`, `[::ffff:0:${v4}]`, `[64:ff9b::${v4}]`, `[::ffff:${v4}%25lo]`,
    `[::ffff:${v4}%lo]`, `[::ffff:${a}.${b}.${c}.${octal(d)}]`,
    `+${v4}`, `-${v4}`, `${v4}e0`, `1e${a}`, `0b${whole.toString(2)}`,
    `0o${whole.toString(8)}`, `${v4}_`, `%5b::ffff:${v4}%5d`,
  ];
}

const loopbackHosts = ['localhost', 'LOCALHOST', 'localhost.', 'LocalHost',
  'localhost.localdomain', 'foo.localhost', 'ip6-localhost', 'ip6-loopback',
  'ｌｏｃａｌｈｏｓｔ', 'ⓛⓞⓒⓐⓛⓗⓞⓢⓣ', 'loc\u00adalhost', 'local%68ost',
  'ℓocalhost', 'localhoſt', '[::1]', '[::]', '[0:0:0:0:0:0:0:1]',
  '[0000:0000:0000:0000:0000:0000:0000:0001]', '[::1%25lo]', '[::1%lo]',
  '[::0001]', '[::1', '::1', '[[::1]]', '[::1]x', '[::1].acme.net', '[0::1]',
  '[:::1]', '[::1::]', '[::127.1]', '[v1.::1]', '[]', '[ ]', '0', '0x0', '00',
  '0.0', '0.0.0', '127.1', '127.0.1', '127.0.0.0x1', '0177.1', '0x7f.1'];

const metadataHosts = ['metadata', 'metadata.google.internal',
  'METADATA.google.internal', 'metadata.google.internal.', 'metadata.goog',
  'instance-data', 'instance-data.ec2.internal', 'kubernetes',
  'kubernetes.default', 'kubernetes.default.svc',
  'kubernetes.default.svc.cluster.local', 'host.docker.internal',
  'gateway.docker.internal', 'host.containers.internal', 'docker.internal',
  'router.local', 'printer.local', 'wpad', 'intranet', 'corp.internal',
  'a.home.arpa', '1.0.0.127.in-addr.arpa', 'rancher-metadata',
  'broadcasthost', 'a.test', 'a.invalid', 'a.onion', 'a.example',
  'consul.service.consul', 'vault.service.consul'];

// A URL whose host is one thing to a hasty eye and another to a parser.
// SAFE may be reached, EVIL may not.
const confusions = [
  'http://SAFE@EVIL/', 'http://SAFE:80@EVIL/', 'http://SAFE%40EVIL/',
  'http://SAFE%00@EVIL/', 'http://EVIL#@SAFE/', 'http://EVIL?@SAFE/',
  'http://EVIL\\@SAFE/', 'http://SAFE\\@EVIL/', 'http://SAFE\\.EVIL/',
  'http://SAFE;@EVIL/', 'http://SAFE&@EVIL#@SAFE/', 'http://SAFE @EVIL/',
  'http://EVIL @SAFE/', 'http://EVIL%20@SAFE/', 'http://SAFE\t@EVIL/',
  'http://EVIL\t@SAFE/', 'http://SAFE\n@EVIL/', 'http://EVIL\r\n@SAFE/',
  'http://SAFE%0a@EVIL/', 'http://EVIL%0d%0aHost:%20SAFE/', 'http:///EVIL/',
  'http:////EVIL/', 'http:/EVIL/', 'http:EVIL/', 'http:\\\\EVIL/',
  'http:/\\EVIL/', 'http://EVIL:80:SAFE/', 'http://EVIL:80@SAFE:80@EVIL/',
  'http://@EVIL/', 'http://:@EVIL/', 'http://:pass@EVIL/', 'http://a@@EVIL/',
  'http://a:b@c:d@EVIL/', 'http://SAFE:@EVIL/', 'http://[SAFE]@EVIL/',
  'http://EVIL:0080/', 'http://EVIL:+80/', 'http://EVIL:80 /',
  'http://EVIL: 80/', 'http://EVIL:80a/', 'http://EVIL:/', 'http://EVIL:65616/',
  'http://EVIL:-80/', 'http://EVIL:8e1/', 'http://EVIL:0x50/',
  'http://EVIL:００８０/', ' http://EVIL/', '\thttp://EVIL/', '\nhttp://EVIL/',
  'http://EVIL/ ', 'ht\ntp://EVIL/', 'h\tttp://EVIL/', '\u0001http://EVIL/',
  'http\u0000://EVIL/', '//EVIL/', '/\\EVIL/', 'EVIL', 'EVIL/', '\\\\EVIL\\a',
  'http:// EVIL/', 'http://\u00a0EVIL/', 'http://\u3000EVIL/',
  'http://EVIL\u0000.SAFE/', 'http://EVIL%00.SAFE/', 'http://SAFE\u0000@EVIL/',
  'http://EVIL/\u0000', 'http://EVIL\u2044@SAFE/', 'http://EVIL\uff0f@SAFE/',
  'http://EVIL\uff03@SAFE/', 'http://EVIL\uff1f@SAFE/', 'http://SAFE\uff20EVIL/',
  'http://SAFE\ufe6bEVIL/', 'http://EVIL\u2100.SAFE/', 'http://EVIL\u2048.SAFE/',
  'http://EVIL\uff1a80/', 'http://EVIL\u3002SAFE/', 'http://.EVIL/',
  'http://EVIL../', 'http://*EVIL/', 'http://EVIL,SAFE/', 'http://{EVIL}/',
  'http://(EVIL)/', 'http://"EVIL"/', "http://'EVIL'/", 'http://`EVIL`/',
  'http://<EVIL>/', 'http://$EVIL/', 'http://!EVIL/', 'http://EVIL|SAFE/',
  'http://EVIL^SAFE/', 'http://SAFE@EVIL@SAFE@EVIL/', 'HTTP://SAFE@EVIL/',
  'http://ＳＡＦＥ@EVIL/', 'http://SAFE:80#@EVIL:80/', 'http://SAFE:80?@EVIL:80/',
  'http://SAFE:80\\@EVIL:80/', 'http://%45VIL/', 'http://EVIL%2fSAFE/',
  'http://EVIL%5cSAFE/', 'http://EVIL%3a80/', 'http://EVIL%3f.SAFE/',
];

const schemes = ['file:///etc/passwd', 'file://EVIL/etc/passwd', 'ftp://EVIL/',
  'ftps://EVIL/', 'gopher://EVIL:80/_GET%20/%20HTTP/1.0%0d%0a%0d%0a',
  'dict://EVIL:80/info', 'ldap://EVIL/', 'ldaps://EVIL/', 'tftp://EVIL/a',
  'sftp://EVIL/', 'scp://EVIL/a', 'smb://EVIL/a', 'smtp://EVIL/', 'imap://EVIL/',
  'pop3://EVIL/', 'telnet://EVIL/', 'rtsp://EVIL/', 'mqtt://EVIL/', 'ws://EVIL/',
  'wss://EVIL/', 'netdoc:///etc/passwd', 'jar:http://EVIL!/', 'data:,hello',
  'javascript:alert(1)', 'blob:http://EVIL/1', 'about:blank',
  'view-source:http://EVIL/', 'feed:http://EVIL/', 'url:http://EVIL/',
  'http+unix://%2fvar%2frun%2fdocker.sock/info', 'unix:/var/run/docker.sock',
  'phar://EVIL/', 'php://filter/resource=http://EVIL/', 'expect://id',
  'httpx://EVIL/', 'httpss://EVIL/', 'http;//EVIL/', 'http//EVIL/',
  '0://EVIL:80;SAFE:80/', '', ' ', 'http', 'http:', 'http:/', 'http://',
  'http:///', 'http://?', 'http://#', 'http://:80/', 'http://@/'];

const VICTIMS = ['127.0.0.1', '169.254.169.254', '10.0.0.5'];
const PATHS = ['', '/latest/meta-data/iam/security-credentials/'];

// Every one must be refused; none may reach a victim. `evil`: what they are
// aimed at, for the control.
export function urls(safe) {
  const all = [];
  for (const victim of VICTIMS) {
    for (const host of spellings(victim)) {
      all.push({ url: `http://${host}/`, victim });
    }
    for (const form of [...confusions, ...schemes]) {
      all.push({ victim, url: form.replaceAll('EVIL', victim)
        .replaceAll('SAFE', safe).replaceAll('ＳＡＦＥ', wide(safe)) });
    }
    for (const path of PATHS) {
      all.push({ url: `http://${victim}${path}`, victim });
      all.push({ url: `https://${victim}${path}`, victim });
      all.push({ url: `http://${victim}:8080${path}`, victim });
    }
  }
  for (const host of [...loopbackHosts, ...metadataHosts]) {
    all.push({ url: `http://${host}/`, victim: '127.0.0.1' });
    all.push({ url: `https://${host}/`, victim: '127.0.0.1' });
  }
  for (const host of [...privateV4, ...privateV6]) {
    all.push({ url: `http://${hostOf(host)}/`, victim: host });
  }
  for (const host of ['a'.repeat(64), `${'a.'.repeat(127)}aa`, 'a'.repeat(9000),
    '-a', 'a-', 'a..b', '.a', 'a.', 'xn--', 'xn--a', 'acme.net.', 'ＡＣＭＥ.net',
    'аcme.net', 'acme。net', 'acme\u00ad.net', 'ac%6de.net', 'acme.net\u200b',
    'acme.net:80:80', 'acme.net%2f', 'acme.127', 'acme.0x7f', '1.2.3',
    '256.1.1.1', '1.1.1.256', '99999999999', '0x100000000']) {
    all.push({ url: `http://${host}/`, victim: undefined });
  }
  const seen = new Set();
  return all.filter(({ url }) => !seen.has(url) && seen.add(url));
}
