// A server that answers as Immich does, of one version, for the tests: its forms go through multer and busboy as the real
// ones do. It keeps the originals in memory. Every answer is traced: to a file of github.com/immich-app/immich (server/src), or
// to @immich/sdk of that version, with which test_fake.py compares FIELDS below.
//
// host.mjs loads it once for each server, whose options are then in globalThis.immichOptions:
//
//   {"version": "3.2.2", "base": "", "keys": {"KEY": ["all"]}}

import { createHash, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { extname } from 'node:path';

const require = createRequire(`${process.env.IMMICH_NPM}/`);
const multer = require('multer');

const options = globalThis.immichOptions;
const version = options.version;
const [major, minor] = version.split('.').map(Number);
const base = options.base ?? '';
const installed = options.installed ?? randomUUID(); // its first entry, which stays
let told = version.split('.').map(Number); // what /server/version says
const keys = new Map(Object.entries(options.keys)); // key -> permissions
let quota = options.quota ?? null;
let types = {
  // server/src/utils/mime-types.ts
  image: ['.3fr', '.ari', '.arw', '.avif', '.bmp', '.cap', '.cin', '.cr2', '.cr3', '.crw', '.dcr', '.dng', '.erf',
    '.fff', '.gif', '.heic', '.heif', '.hif', '.iiq', '.insp', '.jp2', '.jpe', '.jpeg', '.jpg', '.jxl', '.k25',
    '.kdc', '.mrw', '.nef', '.nrw', '.orf', '.ori', '.pef', '.png', '.psd', '.raf', '.raw', '.rw2', '.rwl', '.sr2',
    '.srf', '.srw', '.svg', '.tif', '.tiff', '.webp', '.x3f'],
  video: ['.3gp', '.3gpp', '.avi', '.flv', '.insv', '.m2t', '.m2ts', '.m4v', '.mkv', '.mov', '.mp4', '.mpe', '.mpeg',
    '.mpg', '.mts', '.mxf', '.vob', '.webm', '.wmv'],
  sidecar: ['.xmp'],
};

const assets = new Map(); // id -> asset
const albums = new Map(); // id -> {id, albumName, assetIds: Set, description}
const links = new Map(); // id -> link
let requests = [];
let faults = [];
let holds = [];
let isInMaintenance = false;
const waiting = [];
const userId = randomUUID();

// What the form of a photo may hold, by version: AssetMediaCreateDto. The test reads this.
export const FIELDS = {
  required: major < 3 ? ['deviceAssetId', 'deviceId', 'fileCreatedAt', 'fileModifiedAt'] : ['fileCreatedAt', 'fileModifiedAt'],
  optional: ['duration', 'filename', 'isFavorite', 'livePhotoVideoId', 'visibility', ...(major < 2 ? [] : ['metadata'])],
  files: ['assetData', 'sidecarData'],
};

class Refusal extends Error {
  constructor(status, message, errors = undefined) {
    super(message);
    this.status = status;
    this.errors = errors;
  }
}

const REASONS = { 400: 'Bad Request', 401: 'Unauthorized', 403: 'Forbidden', 404: 'Not Found', 500: 'Internal Server Error' };

// middleware/global-exception.filter.ts; since 3.0 the correlation id goes in a header and validation names its fields.
function errorBody(error) {
  if (error.errors && major >= 3) {
    return { message: 'Validation failed', errors: error.errors };
  }
  const message = error.errors ? error.errors.map(({ message }) => message) : error.message;
  if (major >= 3) return { message };
  return { message, error: REASONS[error.status] ?? 'Error', statusCode: error.status, correlationId: randomUUID().slice(0, 8) };
}

const bytes = (checksum) => Buffer.from(checksum, checksum.length === 28 ? 'base64' : 'hex'); // utils/request.ts
const byChecksum = (sha1) => [...assets.values()].find((asset) => asset.sha1 === sha1);
const suffix = (name) => extname(name).toLowerCase();
const isAsset = (name) => types.image.includes(suffix(name)) || types.video.includes(suffix(name));

function allow(request, permission) {
  // middleware/auth.guard.ts, services/auth.service.ts
  const key = request.headers['x-api-key']; // a Bearer token would be a session's
  const permissions = keys.get(key);
  if (!key) throw new Refusal(401, 'Authentication required');
  if (!permissions) throw new Refusal(401, 'Invalid API key');
  if (permission && !permissions.includes('all') && !permissions.includes(permission)) {
    throw new Refusal(403, `Missing required permission: ${permission}`);
  }
  return { key, permissions };
}

function validDate(value, name) {
  const isDate = !Number.isNaN(Date.parse(value));
  const hasOffset = /(Z|[+-]\d\d:?\d\d)$/.test(value ?? '');
  return isDate && (major < 3 || hasOffset) ? [] : [{ path: [name], message: `${name} must be a date` }];
}

function validate(body) {
  // dtos/asset-media.dto.ts
  const errors = FIELDS.required.filter((name) => !body[name]).map((name) => (
    { path: [name], message: `${name} should not be empty` }));
  if (body.fileCreatedAt) errors.push(...validDate(body.fileCreatedAt, 'fileCreatedAt'));
  if (body.fileModifiedAt) errors.push(...validDate(body.fileModifiedAt, 'fileModifiedAt'));
  if (body.duration !== undefined && major >= 3 && !/^\d+$/.test(body.duration)) {
    errors.push({ path: ['duration'], message: 'Invalid input: expected int, received NaN' });
  }
  if (body.livePhotoVideoId !== undefined && !/^[0-9a-f-]{36}$/.test(body.livePhotoVideoId)) {
    errors.push({ path: ['livePhotoVideoId'], message: 'livePhotoVideoId must be a UUID' });
  }
  if (errors.length) throw new Refusal(400, 'Validation failed', errors);
}

// middleware/file-upload.interceptor.ts: each file part is judged when it starts, by what the body holds so far, and
// digested while it comes.
const upload = multer({
  fileFilter(request, file, done) {
    const name = request.body.filename || Buffer.from(file.originalname, 'latin1').toString('utf8');
    const well = file.fieldname === 'sidecarData' ? types.sidecar.includes(suffix(name)) : isAsset(name);
    done(well ? null : new Refusal(400, `Unsupported file type ${name}`), well);
  },
  storage: {
    _handleFile(request, file, done) {
      const [sha1, sha256] = [createHash('sha1'), createHash('sha256')];
      let size = 0;
      const blocks = [];
      file.stream.on('data', (data) => { sha1.update(data); sha256.update(data); size += data.length; blocks.push(data); });
      file.stream.on('error', done);
      file.stream.on('end', () => done(null, {
        sha1: sha1.digest('hex'), sha256: sha256.digest('hex'), size, data: Buffer.concat(blocks) }));
    },
    _removeFile(request, file, done) { done(null); },
  },
}).fields([{ name: 'assetData', maxCount: 1 }, { name: 'sidecarData', maxCount: 1 }]);

function beforeLink(clipId) {
  // utils/asset.util.ts, onBeforeLink
  const clip = assets.get(clipId);
  if (!clip) throw new Refusal(400, 'Live photo video not found');
  if (clip.type !== 'VIDEO') throw new Refusal(400, 'Live photo video must be a video');
  if (clip.visibility === 'timeline') clip.visibility = 'hidden';
}

const usage = () => [...assets.values()].reduce((sum, asset) => sum + asset.size, 0);

async function uploadAsset(request, response) {
  allow(request, 'asset.upload');
  // middleware/asset-upload.interceptor.ts: before the body is read.
  const checksum = request.headers['x-immich-checksum'];
  const known = checksum && byChecksum(bytes(checksum).toString('hex'));
  if (known) return [200, { id: known.id, status: 'duplicate' }];
  await new Promise((resolve, reject) => upload(request, response, (error) => (error ? reject(error) : resolve())));
  // services/asset-media.service.ts
  validate(request.body);
  const file = request.files?.assetData?.[0];
  if (!file) throw new Refusal(400, 'Field assetData should not be empty'); // validation.ts, FileNotEmptyValidator
  const sidecar = request.files?.sidecarData?.[0];
  if (quota !== null && quota < usage() + file.size) throw new Refusal(400, 'Quota has been exceeded!');
  const clipId = request.body.livePhotoVideoId;
  if (clipId) beforeLink(clipId);
  const twin = byChecksum(file.sha1);
  if (twin) {
    twin.received += 1;
    return [200, { id: twin.id, status: 'duplicate' }];
  }
  const name = request.body.filename || Buffer.from(file.originalname, 'latin1').toString('utf8');
  const asset = put({ sha1: file.sha1, sha256: file.sha256, size: file.size, name });
  asset.data = file.data;
  Object.assign(asset, {
    fileCreatedAt: request.body.fileCreatedAt, fileModifiedAt: request.body.fileModifiedAt,
    visibility: request.body.visibility ?? 'timeline', livePhotoVideoId: clipId ?? null,
    sidecar: sidecar?.sha256 ?? null, received: 1, fields: { ...request.body },
  });
  return [201, { id: asset.id, status: 'created' }];
}

function put({ sha1, sha256, size, name, trashed = false, data = null }) {
  const asset = {
    id: randomUUID(), sha1, sha256, size, name, type: types.video.includes(suffix(name)) ? 'VIDEO' : 'IMAGE',
    fileCreatedAt: null, fileModifiedAt: null, visibility: 'timeline', livePhotoVideoId: null, sidecar: null,
    isTrashed: trashed, received: 0, fields: {}, data: data === null ? null : Buffer.from(data, 'base64'),
  };
  assets.set(asset.id, asset);
  return asset;
}

// repositories/album.repository.ts, getMetadataForIds
const countOf = (album) => [...album.assetIds].map((id) => assets.get(id)).filter(
  (asset) => asset && !asset.isTrashed && asset.visibility !== 'hidden').length;

function albumBody(album) {
  // dtos/album.dto.ts, mapAlbum
  const body = {
    albumName: album.albumName, albumThumbnailAssetId: null, albumUsers: [], assetCount: countOf(album),
    createdAt: album.createdAt, description: album.description, hasSharedLink: false, id: album.id,
    isActivityEnabled: true, shared: false, updatedAt: album.createdAt,
  };
  return major >= 3 ? body : { ...body, assets: [], owner: { id: userId, name: 'Test' }, ownerId: userId };
}

function linkBody(link) {
  // dtos/shared-link.dto.ts, mapSharedLink
  const album = albums.get(link.albumId);
  const body = {
    allowDownload: link.allowDownload, allowUpload: link.allowUpload, assets: [], createdAt: link.createdAt,
    description: null, expiresAt: null, id: link.id, key: link.key, password: null, showMetadata: true, slug: link.slug,
    type: link.type, userId, ...(album ? { album: albumBody(album) } : {}),
  };
  return major >= 3 ? body : { ...body, token: null };
}

function findAlbum(id, permission) {
  const album = albums.get(id);
  if (!album) throw new Refusal(400, `Not found or no ${permission} access`); // utils/access.ts, requireAccess
  return album;
}

const json = (request) => new Promise((resolve, reject) => {
  let text = '';
  request.on('data', (data) => { text += data; });
  request.resume();
  request.on('end', () => { try { resolve(JSON.parse(text || '{}')); } catch { reject(new Refusal(400, 'Bad JSON')); } });
});

const uuid = (id) => {
  if (!/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i.test(id)) throw new Refusal(400, '', [{ path: ['id'], message: 'each value in id must be a UUID' }]);
};

// [method, path, handler]: the controllers (server/src/controllers) with the permission that each names.
const routes = [
  ['GET', /^\/server\/ping$/, () => [200, { res: 'pong' }]],
  ['GET', /^\/server\/version$/, () => [200, {
    major: told[0], minor: told[1], patch: told[2], ...(major >= 3 ? { prerelease: null } : {}) }]],
  // repositories/version-history.repository.ts: the newest first
  ['GET', /^\/server\/version-history$/, () => [200, [
    { id: randomUUID(), createdAt: '2026-03-01T00:00:00.000Z', version },
    { id: installed, createdAt: '2025-01-01T00:00:00.000Z', version: '1.120.0' }]]],
  ['GET', /^\/server\/media-types$/, () => [200, types]],
  ['GET', /^\/server\/config$/, () => [200, { externalDomain: options.externalDomain ?? '', isInitialized: true,
    ...(major > 2 || (major === 2 && minor >= 4) ? { maintenanceMode: isInMaintenance } : {}) }]],
  ['GET', /^\/users\/me$/, (request) => {
    allow(request, 'user.read');
    return [200, { id: userId, name: 'Test', email: 'test@example.org', quotaSizeInBytes: quota, quotaUsageInBytes: usage() }];
  }],
  ...(major < 2 && minor < 139 ? [] : [['GET', /^\/api-keys\/me$/, (request) => {
    const { permissions } = allow(request, null);
    const now = new Date(0).toISOString();
    return [200, { createdAt: now, id: randomUUID(), name: 'test', permissions, updatedAt: now }];
  }]]),
  ['POST', /^\/assets\/bulk-upload-check$/, async (request) => {
    allow(request, major > 1 || minor > 140 ? 'asset.upload' : 'all'); // checkBulkUpload names none before 1.141
    const { assets: asked } = await json(request);
    if (!Array.isArray(asked)) throw new Refusal(400, '', [{ path: ['assets'], message: 'assets must be an array' }]);
    // repositories/asset.repository.ts, getByChecksums: "in ()" is no SQL; middleware/error.interceptor.ts
    if (!asked.length) throw new Refusal(500, 'Failed to check bulk upload');
    return [200, { results: asked.map(({ id, checksum }) => {
      const asset = byChecksum(bytes(checksum).toString('hex'));
      return asset
        ? { id, action: 'reject', reason: 'duplicate', assetId: asset.id, isTrashed: asset.isTrashed }
        : { id, action: 'accept' };
    }) }];
  }],
  ['POST', /^\/assets$/, uploadAsset],
  ['GET', /^\/assets\/([^/]+)\/original$/, (request, response, [id]) => {
    allow(request, 'asset.download');
    uuid(id);
    // utils/file.ts, sendFile: whatever goes wrong is a 404 since 3.0; before, a missing file is a 500.
    const asset = assets.get(id);
    if (!asset) throw major >= 3 ? new Refusal(404, 'Not Found') : new Refusal(400, 'Not found or no asset.download access');
    if (!asset.data) throw major >= 3 ? new Refusal(404, 'Not Found') : new Refusal(500, 'Internal server error');
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    if (!range) return [200, asset.data, { 'content-type': 'image/jpeg' }];
    const [from, to] = [Number(range[1]), Math.min(Number(range[2]), asset.data.length - 1)];
    return [206, asset.data.subarray(from, to + 1), {
      'content-type': 'image/jpeg', 'content-range': `bytes ${from}-${to}/${asset.data.length}` }];
  }],
  ['PUT', /^\/assets\/([^/]+)$/, async (request, response, [id]) => {
    allow(request, 'asset.update');
    uuid(id);
    const asset = assets.get(id);
    if (!asset) throw new Refusal(400, 'Not found or no asset.update access');
    const { livePhotoVideoId } = await json(request);
    if (livePhotoVideoId) {
      beforeLink(livePhotoVideoId);
      asset.livePhotoVideoId = livePhotoVideoId;
    }
    return [200, { id }];
  }],
  ['GET', /^\/albums$/, (request, response, _, query) => {
    allow(request, 'album.read');
    const found = [...albums.values()].filter(({ albumName }) => major < 3 || !query.has('name')
      || (options.inexactNames ? albumName.includes(query.get('name')) : albumName === query.get('name')));
    return [200, found.map(albumBody)];
  }],
  ['POST', /^\/albums$/, async (request) => {
    allow(request, 'album.create');
    const { albumName, description = '', assetIds = [] } = await json(request);
    if (typeof albumName !== 'string') throw new Refusal(400, '', [{ path: ['albumName'], message: 'albumName must be a string' }]);
    return [201, albumBody(addAlbum(albumName, assetIds, description))];
  }],
  ['GET', /^\/albums\/([^/]+)$/, (request, response, [id]) => {
    allow(request, 'album.read');
    uuid(id);
    return [200, albumBody(findAlbum(id, 'album.read'))];
  }],
  ['DELETE', /^\/albums\/([^/]+)$/, (request, response, [id]) => {
    allow(request, 'album.delete');
    uuid(id);
    findAlbum(id, 'album.delete');
    commands.delete_album({ id });
    return [204, ''];
  }],
  ['PUT', /^\/albums\/([^/]+)\/assets$/, async (request, response, [id]) => {
    allow(request, 'albumAsset.create');
    uuid(id);
    const { ids } = await json(request);
    if (major >= 3 && !albums.has(id)) throw new Refusal(400, 'Album not found'); // services/album.service.ts, addAssets
    const album = findAlbum(id, 'albumAsset.create');
    // utils/asset.util.ts, addAssets: an asset that is not there cannot be seen, so there is no permission.
    return [200, ids.map((one) => {
      if (album.assetIds.has(one)) return { id: one, success: false, error: 'duplicate' };
      if (!assets.has(one)) return { id: one, success: false, error: 'no_permission' };
      album.assetIds.add(one);
      return { id: one, success: true };
    })];
  }],
  ['GET', /^\/shared-links$/, (request, response, _, query) => {
    allow(request, 'sharedLink.read');
    const albumId = query.get('albumId');
    return [200, [...links.values()].filter((link) => !albumId || link.albumId === albumId).map(linkBody)];
  }],
  ['GET', /^\/shared-links\/me$/, (request, response, _, query) => {
    // services/auth.service.ts, validateSharedLinkKey: no other credentials are looked at
    const link = [...links.values()].find(({ key }) => key === query.get('key'));
    if (!link) throw new Refusal(401, 'Invalid share key');
    return [200, linkBody(link)];
  }],
  ['POST', /^\/shared-links$/, async (request) => {
    allow(request, 'sharedLink.create');
    const { type, albumId, allowDownload = true, allowUpload = false, slug = null } = await json(request);
    if (type === 'ALBUM') findAlbum(albumId, 'album.share');
    const key = createHash('sha256').update(randomUUID()).digest('base64url');
    const link = { id: randomUUID(), key, type, albumId, allowDownload, allowUpload, slug, createdAt: new Date(0).toISOString() };
    links.set(link.id, link);
    return [201, linkBody(link)];
  }],
];

function addAlbum(albumName, assetIds, description = '') {
  const album = {
    id: randomUUID(), albumName, description, assetIds: new Set(assetIds),
    createdAt: new Date((albums.size + 1) * 1000).toISOString(),
  };
  albums.set(album.id, album);
  return album;
}

const taken = (list, method, path) => {
  const index = list.findIndex((one) => one.method === method && new RegExp(one.path).test(path));
  if (index < 0) return undefined;
  const found = list[index];
  if (found.skip > 0) { found.skip -= 1; return undefined; }
  if (found.times !== undefined && (found.times -= 1) <= 0) list.splice(index, 1);
  return found;
};

async function serve(request, response) {
  const url = new URL(request.url, 'http://localhost');
  const entry = {
    method: request.method, path: url.pathname, key: request.headers['x-api-key'] ?? null, status: null, received: 0,
    at: Date.now() / 1000,
  };
  requests.push(entry);
  request.on('data', (data) => { entry.received += data.length; });
  request.pause();
  const answer = (status, body, headers = {}) => {
    entry.status = status;
    if (response.headersSent || response.destroyed) return;
    const text = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    response.writeHead(status, { ...(options.server ? { server: options.server } : {}), 'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(text), ...headers });
    response.end(text);
    request.resume(); // as node does: what is left of the body is read and dropped
  };
  if (holds.some((one) => one.method === request.method && new RegExp(one.path).test(url.pathname))) {
    await new Promise((resolve) => waiting.push(resolve));
  }
  const fault = taken(faults, request.method, url.pathname);
  if (fault?.what === 'cut_before') return request.socket.destroy();
  if (fault?.what === 'page') {
    return answer(fault.status, `<html><body><h1>${fault.status}</h1></body></html>`, { 'content-type': 'text/html' });
  }
  if (fault?.what === 'status') {
    return answer(fault.status, fault.body ?? errorBody(new Refusal(fault.status, 'A fault')), fault.headers ?? {});
  }
  try {
    if (url.pathname === `${base}/.well-known/immich` && !isInMaintenance) {
      return answer(200, { api: { endpoint: options.endpoint ?? '/api' } }); // services/api.service.ts
    }
    const prefix = `${base}/api`;
    const path = url.pathname.startsWith(`${prefix}/`) ? url.pathname.slice(prefix.length) : null;
    if (isInMaintenance && !['/server/ping', '/server/version', '/server/config'].includes(path)) {
      // maintenance/maintenance-worker.controller.ts and maintenance-worker.service.ts, ssr
      if (path || url.pathname.endsWith('/.well-known/immich') || request.method !== 'GET') {
        throw new Refusal(404, `Cannot ${request.method} ${url.pathname}`);
      }
      return answer(302, '', { location: '/maintenance?continue=%2F' });
    }
    const route = path && routes.find(([method, pattern]) => method === request.method && pattern.test(path));
    if (!route) {
      // What is no API is the web site's page (services/api.service.ts, ssr); of the API, a 404.
      return path ? answer(404, errorBody(new Refusal(404, `Cannot ${request.method} ${url.pathname}`)))
        : answer(200, '<!doctype html><html><body>Immich</body></html>', { 'content-type': 'text/html' });
    }
    const [status, body, headers] = await route[2](request, response, path.match(route[1]).slice(1), url.searchParams);
    if (fault?.what === 'cut_after') return request.socket.destroy();
    if (fault?.what === 'status_after') return answer(fault.status, errorBody(new Refusal(fault.status, 'Internal server error')));
    return answer(status, body, headers);
  } catch (error) {
    if (!(error instanceof Refusal)) {
      if (request.destroyed || !request.complete) return request.socket.destroy();
      return answer(500, { message: `Internal server error: ${error}`, statusCode: 500 });
    }
    return answer(error.status, errorBody(error), major >= 3 ? { 'x-correlation-id': randomUUID().slice(0, 8) } : {});
  }
}

const server = createServer({ keepAliveTimeout: 5000, requestTimeout: 0 }, (request, response) => {
  serve(request, response).catch(() => request.socket.destroy());
});

export const commands = {
  fields: () => FIELDS,
  sample: () => ({
    album: albumBody({ albumName: 'a', assetIds: new Set(), description: '', id: 'x', createdAt: '' }),
    link: linkBody({ albumId: 'x', allowDownload: true, allowUpload: false, createdAt: '', id: '', key: '', slug: null, type: 'ALBUM' }),
  }),
  assets: () => [...assets.values()].map(({ data, ...asset }) => ({ ...asset, hasFile: Boolean(data) })),
  albums: () => [...albums.values()].map(({ id, albumName, assetIds }) => ({ id, name: albumName, assets: [...assetIds] })),
  links: () => [...links.values()],
  requests: () => requests,
  clear_requests: () => { requests = []; },
  put: (one) => put(one).id,
  trash: ({ id }) => { assets.get(id).isTrashed = true; },
  restore: ({ id }) => { assets.get(id).isTrashed = false; },
  delete_asset: ({ id }) => { assets.delete(id); for (const album of albums.values()) album.assetIds.delete(id); },
  lose_file: ({ id }) => { assets.get(id).data = null; }, // JobName.FileDelete, or a disk
  set_maintenance: ({ on }) => { isInMaintenance = on; },
  empty_album: ({ id }) => { albums.get(id).assetIds.clear(); },
  delete_link: ({ id }) => { links.delete(id); },
  add_album: ({ name, assets: ids = [] }) => addAlbum(name, ids).id,
  rename_album: ({ id, name }) => { albums.get(id).albumName = name; },
  delete_album: ({ id }) => {
    albums.delete(id);
    for (const link of [...links.values()]) if (link.albumId === id) links.delete(link.id);
  },
  set_key: ({ key, permissions }) => { if (permissions === null) keys.delete(key); else keys.set(key, permissions); },
  set_types: (some) => { types = { ...types, ...some }; },
  set_quota: ({ bytes: most }) => { quota = most; },
  set_version: ({ version: shown }) => { told = shown.split('.').map(Number); },
  fault: (fault) => { faults.push(fault); },
  clear_faults: () => { faults = []; },
  hold: (one) => { holds.push(one); },
  release: () => { holds = []; waiting.splice(0).forEach((go) => go()); },
  waiting: () => waiting.length,
};

export const port = await new Promise((resolve) => {
  server.listen(0, '127.0.0.1', () => resolve(server.address().port));
});

export function close() {
  server.close();
  server.closeAllConnections();
  assets.clear();
}
